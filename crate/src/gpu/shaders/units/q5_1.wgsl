// Q5_1: blocks of 32 values, each a unit. Needs fifth_bits.wgsl.
//
//     planes: qs (16 bytes a block), the low 4 bits: value j in the low nibble of byte j, value j + 16 in the high one;
//             d and m, f16, and qh, bit j is the top bit of value j (8)
//     value = d * q + m
//
// The product is exact in f32 (11 + 5 bits), and so is -m.

const BLOCK_LEN: u32 = 32u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let header = two_words_at(row + blocks, unit);
    let d = half_to_f32(header.x & 0xffffu);
    let m = half_to_f32(header.x >> 16u);
    return Unit(with_fifth_bits(nibbles(weights[row + unit]), header.y), vec2(d), vec2(-m));
}
