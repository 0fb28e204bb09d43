// Matrix-vector products of one shard and up to 16 tokens at once: out[t, first_row + r] = W[r] . x[t], or += where
// accumulating. Serves batched decode where the rows are too few for tiles to fill a large GPU. As in matvec.wgsl the LANES
// invocations of a lane group, here of one subgroup, share rows, two of them; each unit is multiplied by every token's columns.
// W: (rows, COLUMNS) in units; acts: (T) rows; out: (T, out_stride).
// Grid: (ceil(rows / (2 LANE_GROUPS)), 1, 1). Twin: cpu::kernels::matmul.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const LANE_GROUPS: u32 = WORKGROUP / LANES;
// Tokens that a lane finishes.
const KEPT_TOKENS: u32 = max(TOKENS / LANES, 1u);

// Of each token: the products of both rows.
alias Sums = array<vec2<f32>, TOKENS>;

// A lane keeps one of two sums and hands the other to the lane that keeps that one.
fn share(sums: ptr<function, Sums>, lane: u32, mask: u32, low: u32, high: u32) {
    let keeps_high = (lane & mask) != 0u;
    let kept = select((*sums)[low], (*sums)[high], keeps_high);
    let handed = select((*sums)[high], (*sums)[low], keeps_high);
    (*sums)[low] = kept + subgroupShuffleXor(handed, mask);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tokens = batch.tokens * batch.sequences;
    let lane = local % LANES;
    let first = 2u * (group.x * LANE_GROUPS + local / LANES);
    // Past the last row or token the last one is read again: cheaper than a branch, and its sum is not written.
    let row_a = min(first, params.rows - 1u) * ROW_VECTORS;
    let row_b = min(first + 1u, params.rows - 1u) * ROW_VECTORS;
    var sums: Sums;
    for (var unit = lane; unit < UNITS; unit += LANES) {
        let a = unit_weights(row_a, unit);
        let b = unit_weights(row_b, unit);
        for (var t = 0u; t < TOKENS; t++) {
            let x = unit_x(min(t, tokens - 1u) * ACT_VECTORS, unit);
            sums[t] += vec2(unit_product(a, x), unit_product(b, x));
        }
    }

    // Written turn by turn, so that all indices are constants and the sums stay in registers.
    for (var i = 0u; i < 8u; i++) {
        share(&sums, lane, LANES / 2u, i, i + 8u);
    }
    for (var i = 0u; i < 4u; i++) {
        share(&sums, lane, LANES / 4u, i, i + 4u);
    }
    if LANES >= 8u {
        for (var i = 0u; i < 2u; i++) {
            share(&sums, lane, LANES / 8u, i, i + 2u);
        }
    }
    if LANES >= 16u {
        share(&sums, lane, LANES / 16u, 0u, 1u);
    }
    if LANES >= 32u {
        sums[0] += subgroupShuffleXor(sums[0], 1u);
    }
    for (var i = 0u; i < KEPT_TOKENS; i++) {
        let t = lane * TOKENS / LANES + i;
        // Two lanes have the same sums where there are 32: each writes one row.
        for (var r = 0u; r < 2u; r++) {
            if t < tokens && first + r < params.rows && (LANES < 32u || lane % 2u == r) {
                let at = t * params.out_stride + params.first_row + first + r;
                out[at] = select(0.0, out[at], params.accumulate == 1u) + sums[i][r];
            }
        }
    }
}
