// Q4_0: 32 values, 18 bytes padded to 5 words. Needs half.wgsl.
//
//     bytes 0..2: d, f16    bytes 2..18: qs, value j in the low nibble of byte j, value j + 16 in the high one
//     value = d * (q - 8)
//
// Exact in f32 (11 + 4 bits), whatever the compiler does with it.

const BLOCK_LEN: u32 = 32u;
const BLOCK_WORDS: u32 = 5u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    // qs starts in the middle of word 0, so four of its bytes straddle two words.
    let at = word + (i & 15u) / 4u;
    let four = (weights[at] >> 16u) | (weights[at + 1u] << 16u);
    let q = (vec4<u32>(four >> (i / 16u * 4u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return d * (vec4<f32>(q) - 8.0);
}
