// Q5_0: blocks of 32 values, each a unit. Needs fifth_bits.wgsl.
//
//     planes: qs (16 bytes a block), the low 4 bits: value j in the low nibble of byte j, value j + 16 in the high one;
//             qh (4), bit j is the top bit of value j; d (2), f16
//     value = d * (q - 16) = d * q - 16 d
//
// All of it is exact in f32: 11 + 5 bits.

const BLOCK_LEN: u32 = 32u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let qh = row + blocks;
    let d = half_at(qh + (blocks + 3u) / 4u, unit);
    return Unit(with_fifth_bits(nibbles(weights[row + unit]), word_at(qh, unit)), vec2(d), vec2(16.0 * d));
}
