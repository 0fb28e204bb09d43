// The part of a grouped product whose weights have one type and as many columns: composed once for each, under names of its own.

// The product of a row of a segment, and its number: the lane that is to finish it has it, others have one past the last.
fn segment_product(segment: Segment, group: u32, local: u32, row: ptr<function, u32>) -> f32 {
    let lane = local % LANES;
    let first = (group * LANE_GROUPS + local / LANES) * ROWS;
    *row = select(segment.rows, first + lane, lane < ROWS);
    return own_product(row_products_of(segment.weights, first, segment.rows, segment.acts, local), lane);
}
