// Layer norm and token shift of one token in decode, all mixtures at once:
//     h = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias;  out_i = h + (state - h) * mu_i;  state = h
// x, weight, bias: (width); mu: (mixtures, width); state: (slots, width); out_acts: (mixtures, plane_rows), of which the first row of
// each mixture is written, as write_run lays it out.
// Grid: (ceil(runs / RUNS_HERE), 1, 1); a workgroup owns RUNS_HERE runs. Each makes mean and variance again: they are cheap.
// Twin: cpu::kernels::layer_norm, then token_shift.

struct Params { // twin: params::ShiftNorm
    width: u32,
    mixtures: u32,
    plane_rows: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> mu: array<f32>;
@group(0) @binding(6) var<storage, read_write> state: array<f32>;
@group(0) @binding(7) var<storage, read_write> out_acts: array<u32>;

const RUNS_HERE: u32 = RUN_LEN;
const COLUMNS_HERE: u32 = RUNS_HERE * RUN_LEN;

// h, and the state less h.
var<workgroup> here: array<vec2<f32>, COLUMNS_HERE>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let width = params.width;
    var total = 0.0;
    for (var i = local; i < width; i += WORKGROUP) {
        total += x[i];
    }
    let mean = workgroup_sum(vec4(total, 0.0, 0.0, 0.0), local).x / f32(width);
    var squares = 0.0;
    for (var i = local; i < width; i += WORKGROUP) {
        let centred = x[i] - mean;
        squares += centred * centred;
    }
    let variance = workgroup_sum(vec4(squares, 0.0, 0.0, 0.0), local).x / f32(width);
    let scale = 1.0 / sqrt(variance + params.eps);

    let slots = batch.slots[0];
    let first = COLUMNS_HERE * group.x;
    for (var i = local; i < COLUMNS_HERE; i += WORKGROUP) {
        let column = first + i;
        if column < width {
            let h = (x[column] - mean) * scale * weight[column] + bias[column];
            here[i] = vec2(h, state[slots.x * width + column] - h);
            state[slots.y * width + column] = h;
        }
    }
    workgroupBarrier();
    for (var i = local; i < params.mixtures * RUNS_HERE; i += WORKGROUP) {
        let mixture = i / RUNS_HERE;
        let own = i % RUNS_HERE;
        if first + RUN_LEN * own < width {
            var values: array<f32, RUN_LEN>;
            for (var j = 0u; j < min(RUN_LEN, width - first - RUN_LEN * own); j++) {
                let column = RUN_LEN * own + j;
                values[j] = here[column].x + here[column].y * mu[mixture * width + first + column];
            }
            write_run(mixture * params.plane_rows, RUNS_HERE * group.x + own, &values);
        }
    }
}
