// Q5_K: blocks of 256 values in 8 groups of 32, 8 units a block. Needs columns_32.wgsl and k_scales.wgsl.
//
//     planes: qs (128 bytes a block), the low 4 bits, 32 bytes for each pair of groups, the even group in the low nibbles;
//             qh (32), bit g of byte j is the top bit of value j of group g;
//             header (16): d, dmin and the groups' scales and minimums
//     value = d * scale * q - dmin * min
//
// Both products are exact in f32: 11 + 6 + 5 bits.

const BLOCK_LEN: u32 = 256u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let block = unit / 8u;
    let pair = unit % 8u / 2u;
    let low = nibbles(weights[row + unit]);
    let top = weights[row + 8u * blocks + 2u * block + unit % 2u] >> vec4(2u * pair);
    let q = array(
        low[0] | ((top & vec4(0x01010101u)) << vec4(4u)),
        low[1] | ((top & vec4(0x02020202u)) << vec4(3u)),
    );
    let scales = pair_scales(weights[row + 10u * blocks + block], pair);
    return Unit(q, scales.scale, scales.minimum);
}
