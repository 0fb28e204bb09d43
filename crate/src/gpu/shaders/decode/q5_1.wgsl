// Q5_1: 32 values, 24 bytes = 6 words. Needs half.wgsl.
//
//     word 0: d, f16, and m, f16    word 1: qh, bit j is the top bit of value j
//     words 2..6: qs, the low 4 bits: value j in the low nibble of byte j, value j + 16 in the high one
//     value = d * q + m
//
// The product is exact in f32 (11 + 5 bits), so that fusing the addition changes nothing.

const BLOCK_LEN: u32 = 32u;
const BLOCK_WORDS: u32 = 6u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    let m = half_to_f32(weights[word] >> 16u);
    let four = weights[word + 2u + (i & 15u) / 4u];
    let low = (vec4<u32>(four >> (i / 16u * 4u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let high = (vec4<u32>(weights[word + 1u] >> i) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    return d * vec4<f32>(low | (high << vec4<u32>(4u))) + m;
}
