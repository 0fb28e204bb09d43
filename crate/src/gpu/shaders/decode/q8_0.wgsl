// Q8_0: 32 values, 34 bytes padded to 9 words. Needs half.wgsl.
//
//     bytes 0..2: d, f16    bytes 2..34: qs, signed
//     value = d * q
//
// Exact in f32 (11 + 8 bits), whatever the compiler does with it.

const BLOCK_LEN: u32 = 32u;
const BLOCK_WORDS: u32 = 9u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    // qs starts in the middle of word 0, so four of its bytes straddle two words.
    let at = word + i / 4u;
    let four = (weights[at] >> 16u) | (weights[at + 1u] << 16u);
    // Each byte to the top of its lane, then an arithmetic shift back, for the sign.
    let q = bitcast<vec4<i32>>(vec4<u32>(four) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return d * vec4<f32>(q);
}
