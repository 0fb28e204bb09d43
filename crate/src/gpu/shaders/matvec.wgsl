// Matrix-vector product of one shard: out[first_row + r] = W[r] . x, or += where accumulating. Serves decode.
// W: (rows, columns) in planes; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (groups, T, overflow of groups above the limit of one dimension). A workgroup owns TEAMS * ROWS rows: LANES
// invocations are a team and sum ROWS rows, so that each reads its part of x once for all of them. Neighbouring lanes take
// neighbouring units, so that they read neighbouring vectors; the files of dot/ bind x and multiply a unit by it. Twin: cpu::kernels::matmul.

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

// (ROWS, TEAMS * LANES)
var<workgroup> partial: array<f32, ROWS * TEAMS * LANES>;

@compute @workgroup_size(TEAMS * LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = local % LANES;
    let first = ((group.z * groups.x + group.x) * TEAMS + local / LANES) * ROWS;
    let x_row = group.y * params.x_stride + params.x_start;

    var sums: array<f32, ROWS>;
    let blocks = params.columns / BLOCK_LEN;
    let units = (params.columns + UNIT_LEN - 1u) / UNIT_LEN;
    for (var unit = lane; unit < units; unit += LANES) {
        let v = unit_x(x_row, unit);
        for (var r = 0u; r < ROWS; r++) {
            // Past the last row the last one is read again: cheaper than a branch, and its sum is not written.
            sums[r] += unit_dot(min(first + r, params.rows - 1u) * params.row_vectors, blocks, unit, v);
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        partial[r * TEAMS * LANES + local] = sums[r];
    }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            for (var r = 0u; r < ROWS; r++) {
                let at = r * TEAMS * LANES + local;
                partial[at] += partial[at + half];
            }
        }
    }
    if lane == 0u {
        for (var r = 0u; r < ROWS; r++) {
            if first + r < params.rows {
                let at = group.y * params.out_stride + params.first_row + first + r;
                out[at] = select(0.0, out[at], params.accumulate == 1u) + partial[r * TEAMS * LANES + local];
            }
        }
    }
}
