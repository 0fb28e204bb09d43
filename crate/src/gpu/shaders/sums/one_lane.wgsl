// As sums/lanes.wgsl where LANES is 1: each invocation has the whole sums.
fn sum_over_lanes(sums: ptr<function, array<f32, ROWS>>) {
}
