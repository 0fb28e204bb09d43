// Q2_K: blocks of 256 values in 16 groups of 16, 8 units a block. Needs columns_32.wgsl.
//
//     planes: qs (64 bytes a block), 32 bytes for each half of the block: value 32 s + j of a half is bit pair s of byte j;
//             scales (16), group g has its scale in the low nibble of byte g, its minimum in the high one;
//             d and dmin (4), f16
//     value = d * scale * q - dmin * min
//
// Both products are exact in f32: 11 + 4 + 2 bits.

const BLOCK_LEN: u32 = 256u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let block = unit / 8u;
    let pair = unit % 8u / 2u;
    let side = unit % 2u;

    let packed = weights[row + unit / 4u * 2u + side] >> vec4(4u * (pair % 2u));
    let mask = vec4(0x03030303u);
    let q = array(packed & mask, (packed >> vec4(2u)) & mask);

    // The groups are bytes `side` and `side + 2` of word `pair`.
    let four = weights[row + 4u * blocks + block];
    let two = select(four.xy, four.zw, pair >= 2u);
    let groups = select(two.x, two.y, pair % 2u == 1u) >> (8u * side);
    let d_dmin = word_at(row + 5u * blocks, block);
    let d = half_to_f32(d_dmin & 0xffffu);
    let dmin = half_to_f32(d_dmin >> 16u);
    let scale = vec2(groups & 15u, (groups >> 16u) & 15u);
    let minimum = vec2((groups >> 4u) & 15u, (groups >> 20u) & 15u);
    return Unit(q, d * vec2<f32>(scale), dmin * vec2<f32>(minimum));
}
