// Q4_1: 32 values, 20 bytes = 5 words. Needs half.wgsl.
//
//     word 0: d, f16, and m, f16    words 1..5: qs, value j in the low nibble of byte j, value j + 16 in the high one
//     value = d * q + m
//
// The product is exact in f32 (11 + 4 bits), so that fusing the addition changes nothing.

const BLOCK_LEN: u32 = 32u;
const BLOCK_WORDS: u32 = 5u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    let m = half_to_f32(weights[word] >> 16u);
    let four = weights[word + 1u + (i & 15u) / 4u];
    let q = (vec4<u32>(four >> (i / 16u * 4u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return d * vec4<f32>(q) + m;
}
