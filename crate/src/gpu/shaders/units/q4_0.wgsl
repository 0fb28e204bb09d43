// Q4_0: blocks of 32 values, each a unit.
//
//     planes: qs (16 bytes a block), value j in the low nibble of byte j, value j + 16 in the high one; d (2), f16
//     value = d * (q - 8) = d * q - 8 d
//
// All of it is exact in f32: 11 + 4 bits.

const BLOCK_LEN: u32 = 32u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let d = half_at(row + blocks, unit);
    return Unit(nibbles(weights[row + unit]), vec2(d), vec2(8.0 * d));
}
