// Q5_0: 32 values, 22 bytes padded to 6 words. Needs half.wgsl.
//
//     bytes 0..2: d, f16    bytes 2..6: qh, bit j is the top bit of value j
//     bytes 6..22: qs, the low 4 bits: value j in the low nibble of byte j, value j + 16 in the high one
//     value = d * (q - 16)
//
// Exact in f32 (11 + 5 bits), whatever the compiler does with it.

const BLOCK_LEN: u32 = 32u;
const BLOCK_WORDS: u32 = 6u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    let qh = (weights[word] >> 16u) | (weights[word + 1u] << 16u);
    // qs starts in the middle of word 1, so four of its bytes straddle two words.
    let at = word + 1u + (i & 15u) / 4u;
    let four = (weights[at] >> 16u) | (weights[at + 1u] << 16u);
    let low = (vec4<u32>(four >> (i / 16u * 4u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let high = (vec4<u32>(qh >> i) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    return d * (vec4<f32>(low | (high << vec4<u32>(4u))) - 16.0);
}
