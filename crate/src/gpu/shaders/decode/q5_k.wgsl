// Q5_K: 256 values in 8 groups of 32, 176 bytes = 44 words. Needs half.wgsl.
//
//     word 0: d, f16, and dmin, f16
//     words 1..4: 6-bit scales and minimums. Byte g of word 1 is the scale of group g < 4, of word 2 its minimum,
//                 both in the low 6 bits. Byte g of word 3 has the low nibbles of the scale (low) and minimum (high) of
//                 group g + 4, whose top 2 bits are the top 2 bits of byte g of words 1 and 2.
//     words 4..12: qh, bit g of byte j is the top bit of value j of group g
//     words 12..44: qs, the low 4 bits, 32 bytes for each pair of groups, the even group in the low nibbles
//     value = d * scale * q - dmin * min
//
// Both products are exact in f32 (11 + 6 + 5 bits), so that fusing the subtraction changes nothing.

const BLOCK_LEN: u32 = 256u;
const BLOCK_WORDS: u32 = 44u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    let dmin = half_to_f32(weights[word] >> 16u);
    let group = i / 32u;
    let byte = group % 4u * 8u;
    let a = weights[word + 1u] >> byte;
    let b = weights[word + 2u] >> byte;
    let c = weights[word + 3u] >> byte;
    let upper = group >= 4u;
    let scale = d * f32(select(a & 63u, (c & 15u) | ((a >> 2u) & 48u), upper));
    let min = dmin * f32(select(b & 63u, ((c >> 4u) & 15u) | ((b >> 2u) & 48u), upper));
    let j = i % 32u / 4u;
    let lanes = vec4<u32>(0u, 8u, 16u, 24u);
    let low = (vec4<u32>(weights[word + 12u + i / 64u * 8u + j] >> (group % 2u * 4u)) >> lanes) & vec4<u32>(15u);
    let high = (vec4<u32>(weights[word + 4u + j] >> group) >> lanes) & vec4<u32>(1u);
    return scale * vec4<f32>(low | (high << vec4<u32>(4u))) - min;
}
