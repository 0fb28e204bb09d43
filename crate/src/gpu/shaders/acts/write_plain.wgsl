// Writes rows as plain f32, OUT_COLUMNS a row, in place of activations: for what is read otherwise than by matrix products. The
// kernel that imports this declares `out_acts`, an array of words, as for acts/write_q8.wgsl.

fn write_run(row: u32, run: u32, values: ptr<function, array<f32, RUN_LEN>>) {
    let at = row * OUT_COLUMNS + RUN_LEN * run;
    for (var i = 0u; i < min(RUN_LEN, OUT_COLUMNS - RUN_LEN * run); i++) {
        out_acts[at + i] = bitcast<u32>((*values)[i]);
    }
}
