// Layer norm and token shift of one token in decode, all mixtures at once:
//     h = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias;  out_i = h + (state - h) * mu_i;  state = h
// x, weight, bias: (width); mu: (MIXTURES, width); state: (slots, width); out_acts: (MIXTURES, plane_rows), of which the first row of
// each mixture is written, as write_run lays it out.
// Grid: (ceil(runs / RUNS_HERE), 1, 1); a workgroup owns RUNS_HERE runs. Each makes mean and variance again: they are cheap.
// Twin: cpu::kernels::layer_norm, then token_shift.

struct Params { // twin: params::ShiftNorm
    width: u32,
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
// Columns of an invocation, WORKGROUP apart.
const OWN_COLUMNS: u32 = COLUMNS_HERE / WORKGROUP;
// A run and a float more, so that invocations that read neighbouring runs do not wait for one bank of memory.
const RUN_STRIDE: u32 = RUN_LEN + 1u;

// (MIXTURES, RUNS_HERE, RUN_STRIDE)
var<workgroup> mixed: array<f32, MIXTURES * RUNS_HERE * RUN_STRIDE>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let width = params.width;
    let slots = batch.slots[0];
    let first = COLUMNS_HERE * group.x + local;
    // What comes after the sums is asked for before them, so that it has arrived by then: x, its factor and summand, the state.
    var asked: array<vec4<f32>, OWN_COLUMNS>;
    var factors: array<f32, OWN_COLUMNS * MIXTURES>;
    for (var i = 0u; i < OWN_COLUMNS; i++) {
        let column = min(first + i * WORKGROUP, width - 1u);
        asked[i] = vec4(x[column], weight[column], bias[column], state[slots.x * width + column]);
        for (var mixture = 0u; mixture < MIXTURES; mixture++) {
            factors[i * MIXTURES + mixture] = mu[mixture * width + column];
        }
    }

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

    for (var i = 0u; i < OWN_COLUMNS; i++) {
        let column = first + i * WORKGROUP;
        let own = asked[i];
        let h = (own.x - mean) * scale * own.y + own.z;
        if column < width {
            state[slots.y * width + column] = h;
        }
        let here = local + i * WORKGROUP;
        for (var mixture = 0u; mixture < MIXTURES; mixture++) {
            let value = h + (own.w - h) * factors[i * MIXTURES + mixture];
            let at = (mixture * RUNS_HERE + here / RUN_LEN) * RUN_STRIDE + here % RUN_LEN;
            mixed[at] = select(0.0, value, column < width);
        }
    }
    workgroupBarrier();
    for (var i = local; i < MIXTURES * RUNS_HERE; i += WORKGROUP) {
        let run = RUNS_HERE * group.x + i % RUNS_HERE;
        if RUN_LEN * run < width {
            var values: array<f32, RUN_LEN>;
            for (var j = 0u; j < RUN_LEN; j++) {
                values[j] = mixed[i * RUN_STRIDE + j];
            }
            write_run(i / RUNS_HERE * params.plane_rows, run, &values);
        }
    }
}
