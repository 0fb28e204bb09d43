// Q3_K: 256 values in 16 groups of 16, 110 bytes padded to 28 words. Needs half.wgsl.
//
//     words 0..8: hmask, bit s of byte j is the top bit of value 32 s + j
//     words 8..24: qs, the low 2 bits, 32 bytes for each half: value 32 s + j of a half is bit pair s of byte j
//     words 24..27: scales, 6 bits: group g has the low 4 in nibble g / 8 of byte g % 8,
//                   the high 2 in bit pair g / 4 of byte 8 + g % 4
//     word 27: d, f16
//     value = d * (scale - 32) * (q - 4)
//
// Exact in f32 (11 + 5 + 2 bits), whatever the compiler does with it.

const BLOCK_LEN: u32 = 256u;
const BLOCK_WORDS: u32 = 28u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word + 27u] & 0xffffu);
    let group = i / 16u;
    let byte = group % 4u * 8u;
    let scale_low = (weights[word + 24u + group / 4u % 2u] >> (byte + group / 8u * 4u)) & 15u;
    let scale_high = (weights[word + 26u] >> (byte + group / 4u * 2u)) & 3u;
    let scale = d * (f32(scale_low | (scale_high << 4u)) - 32.0);
    let j = i % 32u / 4u;
    let lanes = vec4<u32>(0u, 8u, 16u, 24u);
    let low = (vec4<u32>(weights[word + 8u + i / 128u * 8u + j] >> (i / 32u % 4u * 2u)) >> lanes) & vec4<u32>(3u);
    let high = (vec4<u32>(weights[word + j] >> (i / 32u)) >> lanes) & vec4<u32>(1u);
    return scale * (vec4<f32>(low | (high << vec4<u32>(2u))) - 4.0);
}
