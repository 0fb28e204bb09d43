// Layer norm of whole rows: out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, with the variance of the population.
// x: (rows, width); weight: (width); bias: (width); out_acts: (rows or outputs), as write_run lays it out.
// Grid: (1, rows, 1); a workgroup owns a row, an invocation some of its runs. Twin: cpu::kernels::layer_norm.

struct Params { // twin: params::LayerNorm
    width: u32,
    to_outputs: u32, // 1: the rows are those of the wanted tokens, the last
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_acts: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let rows = batch.tokens * batch.sequences;
    let first_row = select(0u, rows - batch.outputs, params.to_outputs == 1u);
    let x_row = (first_row + group.y) * params.width;

    var total = 0.0;
    for (var i = local; i < params.width; i += WORKGROUP) {
        total += x[x_row + i];
    }
    let mean = workgroup_sum(vec4(total, 0.0, 0.0, 0.0), local).x / f32(params.width);
    var squares = 0.0;
    for (var i = local; i < params.width; i += WORKGROUP) {
        let centred = x[x_row + i] - mean;
        squares += centred * centred;
    }
    let variance = workgroup_sum(vec4(squares, 0.0, 0.0, 0.0), local).x / f32(params.width);
    let scale = 1.0 / sqrt(variance + params.eps);
    for (var run = local; RUN_LEN * run < params.width; run += WORKGROUP) {
        var values: array<f32, RUN_LEN>;
        for (var i = 0u; i < min(RUN_LEN, params.width - RUN_LEN * run); i++) {
            let column = RUN_LEN * run + i;
            values[i] = (x[x_row + column] - mean) * scale * weight[column] + bias[column];
        }
        write_run(group.y, run, &values);
    }
}
