// Matrix-vector product of one shard: out[first_row + r] = W[r] . x, or += where accumulating. Serves decode.
// W: (rows, columns) blocks; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (groups, T, overflow of groups above the limit of one dimension); a workgroup owns ROWS rows, LANES invocations
// sum one row. A file of dot/ binds `weights` and `x` and says what a unit of a row is: neighbouring lanes take neighbouring
// units, so that they read neighbouring words. Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatMul
    rows: u32,
    columns: u32,
    row_words: u32,
    first_row: u32,
    x_stride: u32,
    x_start: u32,
    out_stride: u32,
    accumulate: u32,
    to_outputs: u32, // not read here: the grid says how many rows x has
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, LANES * ROWS>;

@compute @workgroup_size(LANES * ROWS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = local % LANES;
    let row = (group.z * groups.x + group.x) * ROWS + local / LANES;
    let x_row = group.y * params.x_stride + params.x_start;

    var sum = 0.0;
    if row < params.rows {
        let units = (params.columns + UNIT_LEN - 1u) / UNIT_LEN;
        for (var unit = lane; unit < units; unit += LANES) {
            sum += unit_dot(row * params.row_words, unit, x_row);
        }
    }
    partial[local] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            partial[local] += partial[local + half];
        }
    }
    if lane == 0u && row < params.rows {
        let at = group.y * params.out_stride + params.first_row + row;
        out[at] = select(0.0, out[at], params.accumulate == 1u) + partial[local];
    }
}
