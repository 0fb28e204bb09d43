// IQ4_XS: blocks of 256 values in 8 groups of 32, each group a unit. Needs iq4_steps.wgsl.
//
//     planes: qs (128 bytes a block), 16 bytes a group, value j in the low nibble of byte j, value j + 16 in the high one;
//             header (8): d, f16; scales_h, the high 2 bits of group g's scale in bit pair g; scales_l, the low 4 bits of
//             group g's scale in nibble g
//     value = d * (scale - 32) * step[q]
//
// Exact in f32: 11 + 5 + 7 bits.

const BLOCK_LEN: u32 = 256u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let indices = nibbles(weights[row + unit]);
    let header = two_words_at(row + 8u * blocks, unit / 8u);
    let group = unit % 8u;
    let low = (header.y >> (4u * group)) & 15u;
    let high = (header.x >> (16u + 2u * group)) & 3u;
    let scale = half_to_f32(header.x & 0xffffu) * (f32(low | (high << 4u)) - 32.0);
    return Unit(array(iq4_steps(indices[0]), iq4_steps(indices[1])), vec2(scale), vec2(0.0));
}
