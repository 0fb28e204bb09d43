// Activations in 8 bits, what `--activations q8` gives matrix products. A row holds runs of 16 columns, zeros after the last
// column to an even number of runs:
//
//     RUNS vectors: the 16 quants of a run, signed bytes
//     RUNS / 2 vectors: (d, d * sum of the quants) of two runs, f32
//     PARTIAL_VECTORS vectors: sums of the squares of each run before quantising, f32; only decode writes and reads them
//     value = d * q, d = max |value| / 127

const PARTIAL_VECTORS: u32 = (RUNS + 3u) / 4u;
const FIRST_PARTIAL: u32 = RUNS + RUNS / 2u;
const ACT_VECTORS: u32 = FIRST_PARTIAL + PARTIAL_VECTORS;

@group(0) @binding(3) var<storage, read> acts: array<vec4<u32>>;

// d, and d * sum of the quants, of a run. `row` is the index of the row's first vector.
fn run_scale(row: u32, run: u32) -> vec2<f32> {
    let two = bitcast<vec4<f32>>(acts[row + RUNS + run / 2u]);
    return select(two.xy, two.zw, (run & 1u) == 1u);
}

fn partial_squares(index: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(acts[FIRST_PARTIAL + index]);
}

fn signed_bytes(word: u32) -> vec4<f32> {
    let w = bitcast<i32>(word);
    return vec4(f32((w << 24u) >> 24u), f32((w << 16u) >> 24u), f32((w << 8u) >> 24u), f32(w >> 24u));
}

// Values 4 i to 4 i + 3 of a run.
fn run_values(row: u32, run: u32, i: u32) -> vec4<f32> {
    let quants = acts[row + run];
    let word = select(select(quants.x, quants.y, i == 1u), select(quants.z, quants.w, i == 3u), i >= 2u);
    return run_scale(row, run).x * signed_bytes(word);
}
