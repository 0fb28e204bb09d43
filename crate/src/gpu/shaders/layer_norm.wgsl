// Layer norm of whole rows: out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, with the variance of the population.
// x: (rows, width); weight: (width); bias: (width); out_acts: (rows or outputs), as write_run lays it out.
// Grid: (1, rows, 1); a workgroup owns a row. Twin: cpu::kernels::layer_norm.

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
    for (var first = 0u; first < params.width; first += COLUMNS_HERE) {
        for (var here = local; here < COLUMNS_HERE; here += WORKGROUP) {
            let column = min(first + here, params.width - 1u);
            let value = (x[x_row + column] - mean) * scale * weight[column] + bias[column];
            put_column(group.y, first, here, select(0.0, value, first + here < params.width));
        }
        write_columns(group.y, first, local);
    }
}
