// Matrix product of one shard with 8-bit activations: out[t, first_row + r] = W[r] . x[t], or += where accumulating. Serves
// prefill. As matmul.wgsl, but the tiles hold quants, UNITS_AT_ONCE units of each row, and are multiplied in integers.
// W: (rows, COLUMNS) in units of a type with quants; acts: (T) rows; out: (T, out_stride).
// Grid: (ceil(rows / TILE_ROWS), ceil(T / TILE_TOKENS), 1). Twin: cpu::kernels::matmul.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const ROWS_APART: u32 = TILE_ROWS / OWN_ROWS;
const TOKENS_APART: u32 = TILE_TOKENS / OWN_TOKENS;
// One more vector than the runs take, so that neighbouring rows begin in different banks.
const STRIDE: u32 = 2u * UNITS_AT_ONCE + 1u;

// (rows, STRIDE) and (tokens, STRIDE): the runs' quants.
var<workgroup> w_tile: array<vec4<u32>, TILE_ROWS * STRIDE>;
var<workgroup> x_tile: array<vec4<u32>, TILE_TOKENS * STRIDE>;
// (units, rows): scales and minimums of runs A and B. (units, tokens): the runs' d, then their d * sum.
var<workgroup> w_scales: array<vec4<f32>, UNITS_AT_ONCE * TILE_ROWS>;
var<workgroup> x_scales: array<vec4<f32>, UNITS_AT_ONCE * TILE_TOKENS>;

fn load_weights(first_row: u32, first_unit: u32, local: u32) {
    for (var i = local; i < TILE_ROWS * UNITS_AT_ONCE; i += WORKGROUP) {
        let row = i / UNITS_AT_ONCE;
        let u = i % UNITS_AT_ONCE;
        // Past the last row the last one is read again: its products are not written. Past the last unit scales are zero.
        let unit = min(first_unit + u, UNITS - 1u);
        let w = load_unit(min(first_row + row, params.rows - 1u) * ROW_VECTORS, BLOCKS, unit);
        w_tile[row * STRIDE + 2u * u] = w.q[0];
        w_tile[row * STRIDE + 2u * u + 1u] = w.q[1];
        w_scales[u * TILE_ROWS + row] = select(vec4(0.0), vec4(w.scale, w.minimum), first_unit + u < UNITS);
    }
}

fn load_x(first_token: u32, tokens: u32, first_unit: u32, local: u32) {
    for (var i = local; i < TILE_TOKENS * UNITS_AT_ONCE; i += WORKGROUP) {
        let t = i / UNITS_AT_ONCE;
        let u = i % UNITS_AT_ONCE;
        let row = min(first_token + t, tokens - 1u) * ACT_VECTORS;
        let runs = unit_columns(min(first_unit + u, UNITS - 1u)) / RUN_LEN;
        let a = run_scale(row, runs.x);
        let b = run_scale(row, runs.y);
        x_tile[t * STRIDE + 2u * u] = acts[row + runs.x];
        x_tile[t * STRIDE + 2u * u + 1u] = acts[row + runs.y];
        x_scales[u * TILE_TOKENS + t] = vec4(a.x, b.x, a.y, b.y);
    }
}

fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tokens = select(batch.tokens * batch.sequences, batch.outputs, params.to_outputs == 1u);
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    let my_row = local % ROWS_APART;
    let my_token = local / ROWS_APART;

    var sums: array<array<f32, OWN_TOKENS>, OWN_ROWS>;
    for (var unit = 0u; unit < UNITS; unit += UNITS_AT_ONCE) {
        load_weights(first_row, unit, local);
        load_x(first_token, tokens, unit, local);
        workgroupBarrier();
        for (var u = 0u; u < UNITS_AT_ONCE; u++) {
            var w_a: array<vec4<u32>, OWN_ROWS>;
            var w_b: array<vec4<u32>, OWN_ROWS>;
            var w_scale: array<vec4<f32>, OWN_ROWS>;
            for (var r = 0u; r < OWN_ROWS; r++) {
                let row = my_row + r * ROWS_APART;
                w_a[r] = w_tile[row * STRIDE + 2u * u];
                w_b[r] = w_tile[row * STRIDE + 2u * u + 1u];
                w_scale[r] = w_scales[u * TILE_ROWS + row];
            }
            for (var t = 0u; t < OWN_TOKENS; t++) {
                let token = my_token + t * TOKENS_APART;
                let x_a = x_tile[token * STRIDE + 2u * u];
                let x_b = x_tile[token * STRIDE + 2u * u + 1u];
                let x_scale = x_scales[u * TILE_TOKENS + token];
                for (var r = 0u; r < OWN_ROWS; r++) {
                    sums[r][t] += w_scale[r].x * (x_scale.x * f32(dot16(w_a[r], x_a)))
                        + w_scale[r].y * (x_scale.y * f32(dot16(w_b[r], x_b)));
                    if HAS_MINIMUM {
                        sums[r][t] -= w_scale[r].z * x_scale.z + w_scale[r].w * x_scale.w;
                    }
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
