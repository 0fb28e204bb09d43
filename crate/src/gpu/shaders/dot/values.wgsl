// Dot products of units without quants.

fn unit_dot(row: u32, blocks: u32, unit: u32, v: UnitX) -> f32 {
    let w = unit_values(row, blocks, unit);
    return dot(w[0], v.values[0]) + dot(w[1], v.values[1]) + dot(w[2], v.values[2]) + dot(w[3], v.values[3])
        + dot(w[4], v.values[4]) + dot(w[5], v.values[5]) + dot(w[6], v.values[6]) + dot(w[7], v.values[7]);
}
