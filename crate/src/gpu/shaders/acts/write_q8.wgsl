// Writes activations in the layout of acts/q8.wgsl, OUT_RUNS runs a row. The kernel that imports this declares `out_acts`,
// an array of words: neighbouring invocations write parts of one vector.

const OUT_ROW: u32 = 4u * (OUT_RUNS + OUT_RUNS / 2u + (OUT_RUNS + 3u) / 4u);

fn write_run(row: u32, run: u32, values: ptr<function, array<f32, RUN_LEN>>) {
    // Magnitudes have the order of their bits, in which infinity and NaN are the highest: d is then neither finite, and no product is.
    var bits = 0u;
    for (var i = 0u; i < RUN_LEN; i++) {
        bits = max(bits, bitcast<u32>((*values)[i]) & 0x7fffffffu);
    }
    let highest = bitcast<f32>(bits);
    let per_quant = select(127.0 / highest, 0.0, highest == 0.0);
    let d = highest / 127.0;
    let at = row * OUT_ROW + 4u * run;
    var total = 0;
    for (var word = 0u; word < 4u; word++) {
        var packed = 0u;
        for (var byte = 0u; byte < 4u; byte++) {
            let quant = i32(round((*values)[4u * word + byte] * per_quant));
            total += quant;
            packed |= (bitcast<u32>(quant) & 255u) << (8u * byte);
        }
        out_acts[at + word] = packed;
    }
    let scale_at = row * OUT_ROW + 4u * OUT_RUNS + 2u * run;
    out_acts[scale_at] = bitcast<u32>(d);
    out_acts[scale_at + 1u] = bitcast<u32>(d * f32(total));
}

fn write_partial(run: u32, squares: f32) {
    out_acts[6u * OUT_RUNS + run] = bitcast<u32>(squares);
}
