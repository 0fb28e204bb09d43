// The second product of RWKV-7's value residual in decode, and the residual: out = v + (first - v) * sigmoid(W x + bias).
// W: (rows, COLUMNS) in units, a shard; acts: x; v, first, bias: as long as W has rows; out: one row.
// Grid: (ceil(rows / (LANE_GROUPS * ROWS)), 1, 1). Twin: cpu::kernels::matmul, then value_residual.

struct Params { // twin: params::ValueProject
    rows: u32,
    first_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> first: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let first_own = (group.x * LANE_GROUPS + local / LANES) * ROWS;
    let product = own_product(row_products(first_own, params.rows, 0u, local), lane);
    if lane < ROWS && first_own + lane < params.rows {
        let row = params.first_row + first_own + lane;
        out[row] = v[row] + (first[row] - v[row]) * sigmoid(product + bias[row]);
    }
}
