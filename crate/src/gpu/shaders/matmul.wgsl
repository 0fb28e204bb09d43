// Matrix product of one shard: out[t, first_row + r] = W[r] . x[t], or += where accumulating. Serves prefill.
// W: (rows, columns) blocks; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (ceil(rows / TILE), ceil(T / TILE), 1); a workgroup owns a TILE x TILE piece of out, an invocation 4 x 4 of it.
// Each weight is decoded once per tile, into workgroup memory. Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatMul
    rows: u32,
    columns: u32,
    row_words: u32,
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
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

// Both (TILE columns, TILE): entry [k][i] is column k of row, or of token, i.
var<workgroup> w_tile: array<f32, TILE * TILE>;
var<workgroup> x_tile: array<f32, TILE * TILE>;

fn load_weights(first_row: u32, first_column: u32, local: u32) {
    for (var quad = local; quad < TILE * TILE / 4u; quad += WORKGROUP) {
        let i = quad / (TILE / 4u);
        let k = 4u * (quad % (TILE / 4u));
        let row = first_row + i;
        let column = first_column + k;
        var values = vec4(0.0);
        if row < params.rows && column < params.columns {
            let block = row * params.row_words + column / BLOCK_LEN * BLOCK_WORDS;
            values = decode4(block, column % BLOCK_LEN);
        }
        for (var j = 0u; j < 4u; j++) {
            w_tile[(k + j) * TILE + i] = values[j];
        }
    }
}

fn load_x(first_token: u32, tokens: u32, first_column: u32, local: u32) {
    for (var entry = local; entry < TILE * TILE; entry += WORKGROUP) {
        let token = first_token + entry / TILE;
        let column = first_column + entry % TILE;
        var value = 0.0;
        if token < tokens && column < params.columns {
            value = x[token * params.x_stride + params.x_start + column];
        }
        x_tile[entry % TILE * TILE + entry / TILE] = value;
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
    for (var column = 0u; column < params.columns; column += TILE) {
        load_weights(first_row, column, local);
        load_x(first_token, tokens, column, local);
        workgroupBarrier();
        for (var k = 0u; k < TILE; k++) {
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
