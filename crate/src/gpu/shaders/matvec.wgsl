// Matrix-vector product of one shard: out[first_row + r] = W[r] . x, or += where accumulating. Serves decode.
// W: (rows, columns) blocks; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (groups, T, overflow of groups above the limit of one dimension); a workgroup owns ROWS rows, LANES invocations
// sum one row. Twin: cpu::kernels::matmul.

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

const LANES: u32 = 16u;
const ROWS: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
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
        for (var column = 4u * lane; column < params.columns; column += 4u * LANES) {
            let block = row * params.row_words + column / BLOCK_LEN * BLOCK_WORDS;
            let w = decode4(block, column % BLOCK_LEN);
            let at = x_row + column;
            if column + 4u <= params.columns {
                sum += dot(w, vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]));
            } else {
                // The weights past the last column are zero, but x there is not ours and may not be finite.
                for (var i = 0u; column + i < params.columns; i++) {
                    sum += w[i] * x[at + i];
                }
            }
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
