// Q3_K: blocks of 256 values in 16 groups of 16, 8 units a block. Needs columns_32.wgsl.
//
//     planes: qs (64 bytes a block), the low 2 bits, 32 bytes for each half: value 32 s + j of a half is bit pair s of byte j;
//             hmask (32), bit s of byte j is the top bit of value 32 s + j;
//             header (16): scales, 6 bits: group g has the low 4 in nibble g / 8 of byte g % 8, the high 2 in bit pair g / 4
//             of byte 8 + g % 4; then d, f16, and two zero bytes
//     value = d * (scale - 32) * (q - 4) = d * (scale - 32) * q - 4 d * (scale - 32)
//
// All of it is exact in f32: 11 + 5 + 3 bits.

const BLOCK_LEN: u32 = 256u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let block = unit / 8u;
    let pair = unit % 8u / 2u;
    let side = unit % 2u;

    let packed = weights[row + unit / 4u * 2u + side] >> vec4(4u * (pair % 2u));
    let top = weights[row + 4u * blocks + 2u * block + side] >> vec4(2u * pair);
    let mask = vec4(0x03030303u);
    let q = array(
        (packed & mask) | ((top & vec4(0x01010101u)) << vec4(2u)),
        ((packed >> vec4(2u)) & mask) | ((top & vec4(0x02020202u)) << vec4(1u)),
    );

    // The groups are bytes `side` and `side + 2` of each word of scales.
    let header = weights[row + 6u * blocks + block];
    let low = select(header.x, header.y, pair % 2u == 1u) >> (8u * side + 4u * (pair / 2u));
    let high = header.z >> (8u * side + 2u * pair);
    let scales = (low & 0x000f000fu) | ((high & 0x00030003u) << 4u);
    let scale = half_to_f32(header.w & 0xffffu) * (vec2(f32(scales & 0xffffu), f32(scales >> 16u)) - 32.0);
    return Unit(q, scale, 4.0 * scale);
}
