// Matrix product of one shard with 8-bit activations: out[t, first_row + r] = W[r] . x[t], or += where accumulating. Serves
// prefill. As matmul.wgsl, but the tiles hold quants and are multiplied in integers, and a slice has every SLICES-th unit.
// W: (rows, COLUMNS) in units of a type with quants; acts: (T) rows; out: (T, out_stride).
// Grid: (ceil(rows / TILE_ROWS), ceil(T / TILE_TOKENS), 1). Twin: cpu::kernels::matmul.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const ROWS_APART: u32 = TILE_ROWS / OWN_ROWS;
const TOKENS_APART: u32 = TILE_TOKENS / OWN_TOKENS;
const SLICE: u32 = ROWS_APART * TOKENS_APART;
// One more vector than the runs take, so that neighbouring rows begin in different banks.
const STRIDE: u32 = 2u * UNITS_AT_ONCE + 1u;

// Rows of weights, then of tokens: the runs' quants. In two dimensions as in matmul.wgsl.
var<workgroup> tile: array<array<vec4<u32>, STRIDE>, TILE_ROWS + TILE_TOKENS>;
// Of each unit and row of weights: scales and minimums of runs A and B. Of each token: the runs' d, then their d * sum.
var<workgroup> scales: array<array<vec4<f32>, TILE_ROWS + TILE_TOKENS>, UNITS_AT_ONCE>;

fn load_weights(first_row: u32, first_unit: u32, local: u32) {
    for (var i = local; i < TILE_ROWS * UNITS_AT_ONCE; i += WORKGROUP) {
        let row = i / UNITS_AT_ONCE;
        let u = i % UNITS_AT_ONCE;
        // Past the last row the last one is read again: its products are not written. Past the last unit scales are zero.
        let unit = min(first_unit + u, UNITS - 1u);
        let w = load_unit(min(first_row + row, params.rows - 1u) * ROW_VECTORS, BLOCKS, unit);
        tile[row][2u * u] = w.q[0];
        tile[row][2u * u + 1u] = w.q[1];
        scales[u][row] = select(vec4(0.0), vec4(w.scale, w.minimum), first_unit + u < UNITS);
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
        tile[TILE_ROWS + t][2u * u] = acts[row + runs.x];
        tile[TILE_ROWS + t][2u * u + 1u] = acts[row + runs.y];
        scales[u][TILE_ROWS + t] = vec4(a.x, b.x, a.y, b.y);
    }
}

alias Sums = array<array<f32, OWN_TOKENS>, OWN_ROWS>;

fn sum_at(sums: ptr<function, Sums>, index: u32) -> f32 {
    return (*sums)[index / OWN_TOKENS][index % OWN_TOKENS];
}

// Four of an invocation's sums, for the tile's memory.
fn four_sums(sums: ptr<function, Sums>, first: u32) -> vec4<u32> {
    return bitcast<vec4<u32>>(
        vec4(sum_at(sums, first), sum_at(sums, first + 1u), sum_at(sums, first + 2u), sum_at(sums, first + 3u))
    );
}

fn add_four(sums: ptr<function, Sums>, first: u32, others: vec4<u32>) {
    let four = bitcast<vec4<f32>>(others);
    (*sums)[first / OWN_TOKENS][first % OWN_TOKENS] += four.x;
    (*sums)[(first + 1u) / OWN_TOKENS][(first + 1u) % OWN_TOKENS] += four.y;
    (*sums)[(first + 2u) / OWN_TOKENS][(first + 2u) % OWN_TOKENS] += four.z;
    (*sums)[(first + 3u) / OWN_TOKENS][(first + 3u) % OWN_TOKENS] += four.w;
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
    let my_token = local / ROWS_APART % TOKENS_APART;
    let slice = local / SLICE % SLICES;

    var sums: Sums;
    for (var unit = 0u; unit < UNITS; unit += UNITS_AT_ONCE) {
        load_weights(first_row, unit, local);
        load_x(first_token, tokens, unit, local);
        workgroupBarrier();
        for (var i = 0u; i < UNITS_AT_ONCE / SLICES; i++) {
            let u = slice + i * SLICES;
            var w_a: array<vec4<u32>, OWN_ROWS>;
            var w_b: array<vec4<u32>, OWN_ROWS>;
            var w_scale: array<vec4<f32>, OWN_ROWS>;
            for (var r = 0u; r < OWN_ROWS; r++) {
                let row = my_row + r * ROWS_APART;
                w_a[r] = tile[row][2u * u];
                w_b[r] = tile[row][2u * u + 1u];
                w_scale[r] = scales[u][row];
            }
            for (var t = 0u; t < OWN_TOKENS; t++) {
                let token = TILE_ROWS + my_token + t * TOKENS_APART;
                let x_a = tile[token][2u * u];
                let x_b = tile[token][2u * u + 1u];
                let x_scale = scales[u][token];
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

    // As in matmul.wgsl.
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        for (var i = 0u; i < OWN_ROWS * OWN_TOKENS / 4u; i++) {
            let at = i * half * SLICE + local % (half * SLICE);
            if slice >= half && slice < 2u * half {
                tile[at / STRIDE][at % STRIDE] = four_sums(&sums, 4u * i);
            }
        }
        workgroupBarrier();
        for (var i = 0u; i < OWN_ROWS * OWN_TOKENS / 4u; i++) {
            let at = i * half * SLICE + local % (half * SLICE);
            if slice < half {
                add_four(&sums, 4u * i, tile[at / STRIDE][at % STRIDE]);
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
