// Writes activations in the layout of acts/f32.wgsl, OUT_RUNS runs a row. The kernel that imports this declares `out_acts`,
// an array of words, as for acts/write_q8.wgsl.

const OUT_ROW: u32 = 4u * (4u * OUT_RUNS + (OUT_RUNS + 3u) / 4u);

fn write_run(row: u32, run: u32, values: ptr<function, array<f32, RUN_LEN>>) {
    let at = row * OUT_ROW + RUN_LEN * run;
    for (var i = 0u; i < RUN_LEN; i++) {
        out_acts[at + i] = bitcast<u32>((*values)[i]);
    }
}

fn write_partial(run: u32, squares: f32) {
    out_acts[RUN_LEN * OUT_RUNS + run] = bitcast<u32>(squares);
}
