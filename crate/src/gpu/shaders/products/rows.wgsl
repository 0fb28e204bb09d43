// Matrix-vector products for decode. A workgroup owns LANE_GROUPS * ROWS rows: the LANES invocations of a group multiply ROWS rows,
// so that each reads its part of x once for all of them; neighbouring lanes take neighbouring units, which are neighbouring
// vectors of a plane.

// Products of ROWS rows from `first` on with the row of activations that starts at vector `x_row`, for each lane of the group.
fn row_products(first: u32, rows: u32, x_row: u32, local: u32) -> array<f32, ROWS> {
    return row_products_of(0u, first, rows, x_row, local);
}

// The same of a matrix that starts at a vector of its binding.
fn row_products_of(matrix: u32, first: u32, rows: u32, x_row: u32, local: u32) -> array<f32, ROWS> {
    var sums: array<f32, ROWS>;
    for (var unit = local % LANES; unit < UNITS; unit += LANES) {
        let x = unit_x(x_row, unit);
        for (var r = 0u; r < ROWS; r++) {
            // Past the last row the last one is read again: cheaper than a branch, and its sum is not used.
            sums[r] += unit_product(unit_weights(matrix + min(first + r, rows - 1u) * ROW_VECTORS, unit), x);
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        sums[r] = lane_group_sum(sums[r], local);
    }
    return sums;
}

// The product that a lane is to finish: lane r of a group has row `first + r`.
fn own_product(sums: array<f32, ROWS>, lane: u32) -> f32 {
    var all = sums;
    var own = all[0];
    for (var r = 1u; r < ROWS; r++) {
        own = select(own, all[r], lane == r);
    }
    return own;
}

// What a lane needs for the norm's scale, asked for before the products and used after them: waiting for it first would keep
// the weights waiting too.
fn first_squares(lane: u32) -> vec4<f32> {
    return partial_squares(min(lane, PARTIAL_VECTORS - 1u));
}

// 1 / sqrt(mean(x^2) + eps) of the activations' row 0 from the sums of squares that the step before left behind.
fn norm_scale(first: vec4<f32>, width: u32, eps: f32, local: u32) -> f32 {
    let lane = local % LANES;
    var squares = select(vec4(0.0), first, lane < PARTIAL_VECTORS);
    for (var i = lane + LANES; i < PARTIAL_VECTORS; i += LANES) {
        squares += partial_squares(i);
    }
    let sum = lane_group_sum(dot(squares, vec4(1.0)), local);
    return 1.0 / sqrt(sum / f32(width) + eps);
}
