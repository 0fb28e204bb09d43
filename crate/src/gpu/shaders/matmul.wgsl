// Matrix product of one shard in f32: out[t, first_row + r] = W[r] . x[t], or += where accumulating. Serves prefill.
// W: (rows, COLUMNS) in units; acts: (T) rows; out: (T, out_stride).
// Grid: (ceil(rows / TILE_ROWS), ceil(T / TILE_TOKENS), 1). UNITS_AT_ONCE units of each row are decoded once per tile, into
// workgroup memory. An invocation owns OWN_ROWS x OWN_TOKENS of the tile, spread over it, for every SLICES-th vector of columns;
// the sums of the slices are added at the end, always in the same order. Twin: cpu::kernels::matmul.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const ROWS_APART: u32 = TILE_ROWS / OWN_ROWS;
const OWN_TOKENS: u32 = 4u; // the components of a vector of sums
const TOKENS_APART: u32 = TILE_TOKENS / OWN_TOKENS;
const SLICE: u32 = ROWS_APART * TOKENS_APART;
// The 8 vectors of each unit, run A before run B.
const TILE_VECTORS: u32 = 8u * UNITS_AT_ONCE;
// One more vector, so that neighbouring rows begin in different banks.
const STRIDE: u32 = TILE_VECTORS + 1u;
// Vectors of x that an invocation brings.
const X_EACH: u32 = (TILE_TOKENS * TILE_VECTORS + WORKGROUP - 1u) / WORKGROUP;

alias Fetched = array<vec4<f32>, X_EACH>;

// Rows of weights, then of tokens, the same columns of both. In two dimensions: what a row's index is held below is then found once,
// not with each vector.
var<workgroup> tile: array<array<vec4<f32>, STRIDE>, TILE_ROWS + TILE_TOKENS>;

fn fetch_x(first_token: u32, tokens: u32, first_unit: u32, local: u32) -> Fetched {
    var fetched: Fetched;
    for (var i = 0u; i < X_EACH; i++) {
        let at = local + i * WORKGROUP;
        let token = min(first_token + at / TILE_VECTORS, tokens - 1u);
        let unit = first_unit + at % TILE_VECTORS / 8u;
        let runs = unit_columns(min(unit, UNITS - 1u)) / RUN_LEN;
        let run = select(runs.x, runs.y, at % 8u >= 4u);
        // Past the last unit x is zero, and the weights any that there are.
        fetched[i] = select(vec4(0.0), run_values(token * ACT_VECTORS, run, at % 4u), unit < UNITS);
    }
    return fetched;
}

fn store_x(fetched: ptr<function, Fetched>, local: u32) {
    for (var i = 0u; i < X_EACH; i++) {
        let at = local + i * WORKGROUP;
        if at < TILE_TOKENS * TILE_VECTORS {
            tile[TILE_ROWS + at / TILE_VECTORS][at % TILE_VECTORS] = (*fetched)[i];
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tokens = select(batch.tokens * batch.sequences, batch.outputs, params.to_outputs == 1u);
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    let my_row = local % ROWS_APART;
    let my_token = local / ROWS_APART % TOKENS_APART;
    let slice = local / SLICE % SLICES;

    var sums: array<vec4<f32>, OWN_ROWS>;
    var w = fetch_weights(first_row, 0u, local);
    var x = fetch_x(first_token, tokens, 0u, local);
    for (var unit = 0u; unit < UNITS; unit += UNITS_AT_ONCE) {
        store_weights(&w, local);
        store_x(&x, local);
        workgroupBarrier();
        // Asked for before the products, so that it arrives beside them; after the last ones for nothing.
        w = fetch_weights(first_row, unit + UNITS_AT_ONCE, local);
        x = fetch_x(first_token, tokens, unit + UNITS_AT_ONCE, local);
        for (var i = 0u; i < TILE_VECTORS / SLICES; i++) {
            let k = slice + i * SLICES;
            let a = tile[TILE_ROWS + my_token][k];
            let b = tile[TILE_ROWS + my_token + TOKENS_APART][k];
            let c = tile[TILE_ROWS + my_token + 2u * TOKENS_APART][k];
            let d = tile[TILE_ROWS + my_token + 3u * TOKENS_APART][k];
            for (var r = 0u; r < OWN_ROWS; r++) {
                let v = tile[my_row + r * ROWS_APART][k];
                var sum = fma(v.xxxx, vec4(a.x, b.x, c.x, d.x), sums[r]);
                sum = fma(v.yyyy, vec4(a.y, b.y, c.y, d.y), sum);
                sum = fma(v.zzzz, vec4(a.z, b.z, c.z, d.z), sum);
                sums[r] = fma(v.wwww, vec4(a.w, b.w, c.w, d.w), sum);
            }
        }
        workgroupBarrier();
    }

    // Half of the slices that are left hand theirs to the other half, through the tile.
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        for (var r = 0u; r < OWN_ROWS; r++) {
            let at = r * half * SLICE + local % (half * SLICE);
            if slice >= half && slice < 2u * half {
                tile[at / STRIDE][at % STRIDE] = sums[r];
            }
        }
        workgroupBarrier();
        for (var r = 0u; r < OWN_ROWS; r++) {
            let at = r * half * SLICE + local % (half * SLICE);
            if slice < half {
                sums[r] += tile[at / STRIDE][at % STRIDE];
            }
        }
        workgroupBarrier();
    }
    for (var t = 0u; t < OWN_TOKENS; t++) {
        for (var r = 0u; r < OWN_ROWS; r++) {
            let token = first_token + my_token + t * TOKENS_APART;
            let row = first_row + my_row + r * ROWS_APART;
            if slice == 0u && token < tokens && row < params.rows {
                let at = token * params.out_stride + params.first_row + row;
                out[at] = select(0.0, out[at], params.accumulate == 1u) + sums[r][t];
            }
        }
    }
}
