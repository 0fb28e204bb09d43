// Sums of ROWS rows over LANES neighbouring invocations of one subgroup, for each of them; see sums/subgroup.wgsl. A round of all rows
// comes before the next, so that their shuffles overlap. All invocations of the workgroup must call it.
fn sum_over_lanes(sums: ptr<function, array<f32, ROWS>>) {
    for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
        for (var row = 0u; row < ROWS; row++) {
            (*sums)[row] += subgroupShuffleXor((*sums)[row], mask);
        }
    }
}
