// Q2_K: 256 values in 16 groups of 16, 84 bytes = 21 words. Needs half.wgsl.
//
//     words 0..4: scales, group g has its scale in the low nibble of byte g, its minimum in the high one
//     words 4..20: qs, 32 bytes for each half of the block: value 32 s + j of a half is bit pair s of byte j
//     word 20: d, f16, and dmin, f16
//     value = d * scale * q - dmin * min
//
// Both products are exact in f32 (11 + 4 + 2 bits), so that fusing the subtraction changes nothing.

const BLOCK_LEN: u32 = 256u;
const BLOCK_WORDS: u32 = 21u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word + 20u] & 0xffffu);
    let dmin = half_to_f32(weights[word + 20u] >> 16u);
    let group = i / 16u;
    let packed = weights[word + group / 4u] >> (group % 4u * 8u);
    let scale = d * f32(packed & 15u);
    let min = dmin * f32((packed >> 4u) & 15u);
    let four = weights[word + 4u + i / 128u * 8u + i % 32u / 4u];
    let q = (vec4<u32>(four >> (i / 32u % 4u * 2u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(3u);
    return scale * vec4<f32>(q) - min;
}
