// Q4_K: blocks of 256 values in 8 groups of 32, 8 units a block. Needs columns_32.wgsl and k_scales.wgsl.
//
//     planes: qs (128 bytes a block), 32 bytes for each pair of groups, the even group in the low nibbles;
//             header (16): d, dmin and the groups' scales and minimums
//     value = d * scale * q - dmin * min
//
// Both products are exact in f32: 11 + 6 + 4 bits.

const BLOCK_LEN: u32 = 256u;

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let scales = pair_scales(weights[row + 8u * blocks + unit / 8u], unit % 8u / 2u);
    return Unit(nibbles(weights[row + unit]), scales.scale, scales.minimum);
}
