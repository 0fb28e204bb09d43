// Activations as they are, what `--activations f32` gives matrix products. A row holds runs of 16 columns, zeros after the
// last column to an even number of runs:
//
//     4 RUNS vectors: the values
//     PARTIAL_VECTORS vectors: sums of the squares of each run; only decode writes and reads them

const PARTIAL_VECTORS: u32 = (RUNS + 3u) / 4u;
const FIRST_PARTIAL: u32 = 4u * RUNS;
const ACT_VECTORS: u32 = FIRST_PARTIAL + PARTIAL_VECTORS;

@group(0) @binding(3) var<storage, read> acts: array<vec4<f32>>;

fn partial_squares(index: u32) -> vec4<f32> {
    return acts[FIRST_PARTIAL + index];
}

// Values 4 i to 4 i + 3 of a run. `row` is the index of the row's first vector.
fn run_values(row: u32, run: u32, i: u32) -> vec4<f32> {
    let values = acts[row + 4u * run + i];
    if COLUMNS % UNIT_LEN == 0u {
        return values;
    }
    // What decode hands on as plain f32 ends with its last column, and what follows may not be finite.
    return select(vec4(0.0), values, vec4(RUN_LEN * run + 4u * i) + vec4(0u, 1u, 2u, 3u) < vec4(COLUMNS));
}
