// Q4_1: blocks of 32 values, each a unit.
//
//     planes: qs (16 bytes a block), value j in the low nibble of byte j, value j + 16 in the high one; d and m (4), f16
//     value = d * q + m
//
// The product is exact in f32 (11 + 4 bits), and so is -m.

const BLOCK_LEN: u32 = 32u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let d_m = word_at(row + blocks, unit);
    let d = half_to_f32(d_m & 0xffffu);
    let m = half_to_f32(d_m >> 16u);
    return Unit(nibbles(weights[row + unit]), vec2(d), vec2(-m));
}
