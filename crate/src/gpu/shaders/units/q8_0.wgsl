// Q8_0: blocks of 32 values, each a unit.
//
//     planes: qs (32 bytes a block), signed; d (2), f16
//     value = d * q
//
// Exact in f32: 11 + 8 bits.

const BLOCK_LEN: u32 = 32u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let d = half_at(row + 2u * blocks, unit);
    let at = row + 2u * unit;
    return Unit(array(weights[at], weights[at + 1u]), vec2(d), vec2(0.0));
}
