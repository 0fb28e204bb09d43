// Matrix-vector products of one shard: out[t, first_row + r] = W[r] . x[t], or += where accumulating, times the norm's scale where
// x is not normalised yet. Serves decode, W_x and the head; and for few tokens the matrices whose few rows would make too few tiles.
// W: (rows, COLUMNS) in units; acts: (T) rows; out: (T, out_stride).
// Grid: (ceil(rows / (LANE_GROUPS * ROWS)), T, 1). Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatVec
    rows: u32,
    first_row: u32,
    width: u32, // columns of x that are not padding
    scaled: u32, // 1: x is one row, and not normalised yet
    eps: f32,
    out_stride: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let first = (group.x * LANE_GROUPS + local / LANES) * ROWS;
    let squares = first_squares(lane);
    let products = row_products(first, params.rows, group.y * ACT_VECTORS, local);
    var scale = 1.0;
    if params.scaled == 1u {
        scale = norm_scale(squares, params.width, params.eps, local);
    }
    let sum = own_product(products, lane);
    if lane < ROWS && first + lane < params.rows {
        let at = group.y * params.out_stride + params.first_row + first + lane;
        out[at] = select(0.0, out[at], params.accumulate == 1u) + scale * sum;
    }
}
