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

// Units of weights and of tokens that an invocation brings.
const W_EACH: u32 = (TILE_ROWS * UNITS_AT_ONCE + WORKGROUP - 1u) / WORKGROUP;
const X_EACH: u32 = (TILE_TOKENS * UNITS_AT_ONCE + WORKGROUP - 1u) / WORKGROUP;

struct UnitX {
    a: vec4<u32>,
    b: vec4<u32>,
    // d of runs A and B, then their d * sum.
    scales: vec4<f32>,
}

struct Fetched {
    w: array<Unit, W_EACH>,
    x: array<UnitX, X_EACH>,
}

// Asks for a tile. Past the last row, token or unit the last one is read again: products of rows and tokens that are not there are not
// written, and a unit's scales are zero then.
fn fetch(first_row: u32, first_token: u32, tokens: u32, first_unit: u32, local: u32, fetched: ptr<function, Fetched>) {
    for (var n = 0u; n < W_EACH; n++) {
        let i = local + n * WORKGROUP;
        if i < TILE_ROWS * UNITS_AT_ONCE {
            let row = min(first_row + i / UNITS_AT_ONCE, params.rows - 1u);
            let unit = min(first_unit + i % UNITS_AT_ONCE, UNITS - 1u);
            (*fetched).w[n] = load_unit(row * ROW_VECTORS, BLOCKS, unit);
        }
    }
    for (var n = 0u; n < X_EACH; n++) {
        let i = local + n * WORKGROUP;
        if i < TILE_TOKENS * UNITS_AT_ONCE {
            let row = min(first_token + i / UNITS_AT_ONCE, tokens - 1u) * ACT_VECTORS;
            let runs = unit_columns(min(first_unit + i % UNITS_AT_ONCE, UNITS - 1u)) / RUN_LEN;
            let a = run_scale(row, runs.x);
            let b = run_scale(row, runs.y);
            (*fetched).x[n] = UnitX(acts[row + runs.x], acts[row + runs.y], vec4(a.x, b.x, a.y, b.y));
        }
    }
}

fn store(first_unit: u32, local: u32, fetched: ptr<function, Fetched>) {
    for (var n = 0u; n < W_EACH; n++) {
        let i = local + n * WORKGROUP;
        if i < TILE_ROWS * UNITS_AT_ONCE {
            let row = i / UNITS_AT_ONCE;
            let u = i % UNITS_AT_ONCE;
            let w = (*fetched).w[n];
            tile[row][2u * u] = w.q[0];
            tile[row][2u * u + 1u] = w.q[1];
            scales[u][row] = select(vec4(0.0), vec4(w.scale, w.minimum), first_unit + u < UNITS);
        }
    }
    for (var n = 0u; n < X_EACH; n++) {
        let i = local + n * WORKGROUP;
        if i < TILE_TOKENS * UNITS_AT_ONCE {
            let row = TILE_ROWS + i / UNITS_AT_ONCE;
            let u = i % UNITS_AT_ONCE;
            let x = (*fetched).x[n];
            tile[row][2u * u] = x.a;
            tile[row][2u * u + 1u] = x.b;
            scales[u][row] = x.scales;
        }
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

// The sum of 16 products, as f32. It is below 2^18, so that added to the bits of 1.5 * 2^23 it adds itself to that number: a subtraction
// in place of a conversion, of which a GPU makes a quarter as many in a clock or fewer.
fn dot16(a: vec4<u32>, b: vec4<u32>) -> f32 {
    let low = dot4I8Packed(a.y, b.y) + (dot4I8Packed(a.x, b.x) + 0x4b400000);
    return bitcast<f32>(dot4I8Packed(a.w, b.w) + (dot4I8Packed(a.z, b.z) + low)) - 12582912.0;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tokens = select(batch.tokens * batch.sequences, batch.outputs, params.to_outputs == 1u);
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    let my_token = local % TOKENS_APART;
    let my_row = local / TOKENS_APART % ROWS_APART;
    let slice = local / SLICE % SLICES;

    var sums: Sums;
    // The next tile is on its way while the present one is multiplied.
    var fetched: Fetched;
    fetch(first_row, first_token, tokens, 0u, local, &fetched);
    for (var unit = 0u; unit < UNITS; unit += UNITS_AT_ONCE) {
        store(unit, local, &fetched);
        workgroupBarrier();
        fetch(first_row, first_token, tokens, unit + UNITS_AT_ONCE, local, &fetched);
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
                    var sum = fma(w_scale[r].x, x_scale.x * dot16(w_a[r], x_a), sums[r][t]);
                    sum = fma(w_scale[r].y, x_scale.y * dot16(w_b[r], x_b), sum);
                    if HAS_MINIMUM {
                        sum = fma(-w_scale[r].z, x_scale.z, fma(-w_scale[r].w, x_scale.w, sum));
                    }
                    sums[r][t] = sum;
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
