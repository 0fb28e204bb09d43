// IQ4_NL: blocks of 32 values, each a unit. Needs iq4_steps.wgsl.
//
//     planes: qs (16 bytes a block), value j in the low nibble of byte j, value j + 16 in the high one; d (2), f16
//     value = d * step[q]
//
// Exact in f32: 11 + 7 bits.

const BLOCK_LEN: u32 = 32u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let indices = nibbles(weights[row + unit]);
    let d = half_at(row + blocks, unit);
    return Unit(array(iq4_steps(indices[0]), iq4_steps(indices[1])), vec2(d), vec2(0.0));
}
