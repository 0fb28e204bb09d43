// Q4_K: 256 values in 8 groups of 32, 144 bytes = 36 words. Needs half.wgsl.
//
//     word 0: d, f16, and dmin, f16
//     words 1..4: 6-bit scales and minimums. Byte g of word 1 is the scale of group g < 4, of word 2 its minimum,
//                 both in the low 6 bits. Byte g of word 3 has the low nibbles of the scale (low) and minimum (high) of
//                 group g + 4, whose top 2 bits are the top 2 bits of byte g of words 1 and 2.
//     words 4..36: qs, 32 bytes for each pair of groups, the even group in the low nibbles
//     value = d * scale * q - dmin * min
//
// Both products are exact in f32 (11 + 6 + 4 bits), so that fusing the subtraction changes nothing.

const BLOCK_LEN: u32 = 256u;
const BLOCK_WORDS: u32 = 36u;

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
    let four = weights[word + 4u + i / 64u * 8u + i % 32u / 4u];
    let q = (vec4<u32>(four >> (group % 2u * 4u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return scale * vec4<f32>(q) - min;
}
