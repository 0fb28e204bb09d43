// Matrix product of one shard: out[t, first_row + r] = W[r] . x[t], or += where accumulating. Serves prefill.
// W: (rows, columns) in planes; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (ceil(rows / TILE), ceil(T / TILE), 1); a workgroup owns a TILE x TILE piece of out, an invocation 4 x 4 of it.
// Unit by unit, half of the invocations decode the weights of a row each, half read the x of a token each, both into workgroup
// memory. Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatMul
    rows: u32,
    columns: u32,
    row_vectors: u32,
    first_row: u32,
    x_stride: u32,
    x_start: u32,
    out_stride: u32,
    accumulate: u32,
    to_outputs: u32, // 1: x has a row a wanted token, 0: a row a token
}

struct Batch { // twin: params::Batch
    tokens: u32,
    outputs: u32,
}

const TILE: u32 = 32u;
const WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

// Both (UNIT_LEN columns, TILE): entry [k][i] is column k of the unit's runs, of row, or of token, i.
var<workgroup> w_tile: array<f32, UNIT_LEN * TILE>;
var<workgroup> x_tile: array<f32, UNIT_LEN * TILE>;

fn load_weights(row: u32, unit: u32, i: u32) {
    // Past the last row the last one is read again: its sums are not written.
    let at = min(row, params.rows - 1u) * params.row_vectors;
    let values = unit_values(at, params.columns / BLOCK_LEN, unit);
    for (var quad = 0u; quad < 8u; quad++) {
        let four = values[quad];
        let to = 4u * quad * TILE + i;
        w_tile[to] = four.x;
        w_tile[to + TILE] = four.y;
        w_tile[to + 2u * TILE] = four.z;
        w_tile[to + 3u * TILE] = four.w;
    }
}

fn load_x(token: u32, tokens: u32, unit: u32, i: u32) {
    let columns = unit_columns(unit);
    let at = min(token, tokens - 1u) * params.x_stride + params.x_start;
    for (var k = 0u; k < UNIT_LEN; k++) {
        let column = select(columns.x + k, columns.y + k - 16u, k >= 16u);
        // Weights past the last column are zero, but x there is not ours and may not be finite.
        x_tile[k * TILE + i] = select(0.0, x[at + column], column < params.columns);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tokens = select(batch.tokens, batch.outputs, params.to_outputs == 1u);
    let first_row = group.x * TILE;
    let first_token = group.y * TILE;
    let my_row = 4u * (local % 8u);
    let my_token = 4u * (local / 8u);

    // sums[i] holds the four rows of token my_token + i.
    var sums = array<vec4<f32>, 4>(vec4(0.0), vec4(0.0), vec4(0.0), vec4(0.0));
    let units = (params.columns + UNIT_LEN - 1u) / UNIT_LEN;
    for (var unit = 0u; unit < units; unit++) {
        if local < TILE {
            load_weights(first_row + local, unit, local);
        } else {
            load_x(first_token + local - TILE, tokens, unit, local - TILE);
        }
        workgroupBarrier();
        for (var k = 0u; k < UNIT_LEN; k++) {
            let w_at = k * TILE + my_row;
            let x_at = k * TILE + my_token;
            let w = vec4(w_tile[w_at], w_tile[w_at + 1u], w_tile[w_at + 2u], w_tile[w_at + 3u]);
            sums[0] += w * x_tile[x_at];
            sums[1] += w * x_tile[x_at + 1u];
            sums[2] += w * x_tile[x_at + 2u];
            sums[3] += w * x_tile[x_at + 3u];
        }
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            let token = first_token + my_token + i;
            let row = first_row + my_row + j;
            if token < tokens && row < params.rows {
                let at = token * params.out_stride + params.first_row + row;
                out[at] = select(0.0, out[at], params.accumulate == 1u) + sums[i][j];
            }
        }
    }
}
