// Matrix product of one shard in f32: out[t, first_row + r] = W[r] . x[t], or += where accumulating. Serves prefill.
// W: (rows, COLUMNS) in units; acts: (T) rows; out: (T, out_stride).
// Grid: (ceil(rows / TILE_ROWS), ceil(T / TILE_TOKENS), 1); an invocation owns OWN_ROWS x OWN_TOKENS of the tile, spread over
// it. A unit of each row is decoded once per tile, into workgroup memory. Twin: cpu::kernels::matmul.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const ROWS_APART: u32 = TILE_ROWS / OWN_ROWS;
const TOKENS_APART: u32 = TILE_TOKENS / OWN_TOKENS;
// One more vector than a unit has, so that neighbouring rows begin in different banks.
const STRIDE: u32 = 9u;

// (rows, STRIDE): the 8 vectors of a unit, run A before run B.
var<workgroup> w_tile: array<vec4<f32>, TILE_ROWS * STRIDE>;
// (tokens, STRIDE): the same columns.
var<workgroup> x_tile: array<vec4<f32>, TILE_TOKENS * STRIDE>;

fn load_weights(first_row: u32, unit: u32, local: u32) {
    for (var i = local; i < TILE_ROWS; i += WORKGROUP) {
        // Past the last row the last one is read again: its products are not written.
        let w = unit_values(min(first_row + i, params.rows - 1u) * ROW_VECTORS, BLOCKS, unit);
        let at = i * STRIDE;
        w_tile[at] = w[0];
        w_tile[at + 1u] = w[1];
        w_tile[at + 2u] = w[2];
        w_tile[at + 3u] = w[3];
        w_tile[at + 4u] = w[4];
        w_tile[at + 5u] = w[5];
        w_tile[at + 6u] = w[6];
        w_tile[at + 7u] = w[7];
    }
}

fn load_x(first_token: u32, tokens: u32, unit: u32, local: u32) {
    let runs = unit_columns(unit) / RUN_LEN;
    for (var i = local; i < TILE_TOKENS * 8u; i += WORKGROUP) {
        let token = min(first_token + i / 8u, tokens - 1u);
        let run = select(runs.x, runs.y, i % 8u >= 4u);
        x_tile[i / 8u * STRIDE + i % 8u] = run_values(token * ACT_VECTORS, run, i % 4u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tokens = select(batch.tokens * batch.sequences, batch.outputs, params.to_outputs == 1u);
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    let my_row = local % ROWS_APART;
    let my_token = local / ROWS_APART;

    var sums: array<array<f32, OWN_TOKENS>, OWN_ROWS>;
    for (var unit = 0u; unit < UNITS; unit++) {
        load_weights(first_row, unit, local);
        load_x(first_token, tokens, unit, local);
        workgroupBarrier();
        for (var k = 0u; k < 8u; k++) {
            var w: array<vec4<f32>, OWN_ROWS>;
            for (var r = 0u; r < OWN_ROWS; r++) {
                w[r] = w_tile[(my_row + r * ROWS_APART) * STRIDE + k];
            }
            for (var t = 0u; t < OWN_TOKENS; t++) {
                let x = x_tile[(my_token + t * TOKENS_APART) * STRIDE + k];
                for (var r = 0u; r < OWN_ROWS; r++) {
                    sums[r][t] += dot(w[r], x);
                }
            }
        }
        workgroupBarrier();
    }

    for (var t = 0u; t < OWN_TOKENS; t++) {
        for (var r = 0u; r < OWN_ROWS; r++) {
            let token = first_token + my_token + t * TOKENS_APART;
            let row = first_row + my_row + r * ROWS_APART;
            if token < tokens && row < params.rows {
                let at = token * params.out_stride + params.first_row + row;
                out[at] = select(0.0, out[at], params.accumulate == 1u) + sums[r][t];
            }
        }
    }
}
