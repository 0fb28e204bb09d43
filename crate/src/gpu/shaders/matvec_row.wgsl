// Matrix-vector product of one shard, for adapters that are software: out[first_row + r] = W[r] . x[t], or += where
// accumulating. A barrier is a switch of threads there and neighbouring reads gain nothing, so an invocation owns a row.
// W: (rows, columns) in planes; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (ceil(rows / 64), T, 1). Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatMul
    rows: u32,
    columns: u32,
    row_vectors: u32,
    first_row: u32,
    x_stride: u32,
    x_start: u32,
    out_stride: u32,
    accumulate: u32,
    to_outputs: u32, // not read here: the grid says how many rows x has
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= params.rows {
        return;
    }
    let x_row = id.y * params.x_stride + params.x_start;
    let blocks = params.columns / BLOCK_LEN;
    let units = (params.columns + UNIT_LEN - 1u) / UNIT_LEN;
    var sum = 0.0;
    for (var unit = 0u; unit < units; unit++) {
        sum += unit_dot(row * params.row_vectors, blocks, unit, unit_x(x_row, unit));
    }
    let to = id.y * params.out_stride + params.first_row + row;
    out[to] = select(0.0, out[to], params.accumulate == 1u) + sum;
}
