// Q6_K: blocks of 256 values in 16 groups of 16, 8 units a block, 4 for each half of 128 values.
//
//     planes: ql (128 bytes a block), the low 4 bits, 64 bytes for each half: values 0..64 of the half in the low nibbles,
//             64..128 in the high ones;
//             qh (64), the high 2 bits, 32 bytes for each half: value 32 s + j of the half is bit pair s of byte j;
//             scales (16), signed bytes, one a group; d (2), f16
//     value = d * scale * (q - 32) = d * scale * q - 32 d * scale
//
// All of it is exact in f32: 11 + 7 + 6 bits (-128 is a power of two).

const BLOCK_LEN: u32 = 256u;

// The first columns of runs A and B: 64 columns apart, because a byte of ql has them both.
fn unit_columns(unit: u32) -> vec2<u32> {
    let first = 128u * (unit / 4u) + 16u * (unit % 4u);
    return vec2(first, first + 64u);
}

fn load_unit(row: u32, blocks: u32, unit: u32) -> Unit {
    let block = unit / 8u;
    let low = nibbles(weights[row + unit]);
    // Run A's bit pair is 0 or 1, run B's 2 or 3.
    let pairs = weights[row + 8u * blocks + unit / 4u * 2u + unit % 2u] >> vec4(unit & 2u);
    let q = array(
        low[0] | ((pairs & vec4(0x03030303u)) << vec4(4u)),
        low[1] | (pairs & vec4(0x30303030u)),
    );
    // The half's two words of scales have those of run A and of run B, whose byte goes to the top, and back for the sign.
    let four = weights[row + 12u * blocks + block];
    let two = select(four.xy, four.zw, (unit & 4u) == 4u);
    let scales = bitcast<vec2<i32>>(two << vec2(24u - 8u * (unit % 4u))) >> vec2(24u);
    let scale = half_at(row + 13u * blocks, block) * vec2<f32>(scales);
    return Unit(q, scale, 32.0 * scale);
}
