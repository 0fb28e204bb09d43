// Matrix-vector product of one shard: out[first_row + r] = W[r] . x, times the norm's scale where x is not normalised yet.
// Serves decode: W_x and the head.
// W: (rows, COLUMNS) in units; acts: one row; out: (all rows).
// Grid: (ceil(rows / (TEAMS * ROWS)), 1, 1). Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatVec
    rows: u32,
    first_row: u32,
    width: u32, // columns of x that are not padding
    scaled: u32, // 1: x is not normalised yet
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let first = (group.x * TEAMS + local / LANES) * ROWS;
    var scale = 1.0;
    if params.scaled == 1u {
        scale = norm_scale(params.width, params.eps, local);
    }
    let sum = own_product(row_products(first, params.rows, local), lane);
    if lane < ROWS && first + lane < params.rows {
        out[params.first_row + first + lane] = scale * sum;
    }
}
