// Q6_K: 256 values in 16 groups of 16, 210 bytes padded to 53 words. Needs half.wgsl.
//
//     words 0..32: ql, the low 4 bits, 64 bytes for each half: values 0..64 of the half in the low nibbles, 64..128 in
//                  the high ones
//     words 32..48: qh, the high 2 bits, 32 bytes for each half: value 32 s + j of the half is bit pair s of byte j
//     words 48..52: scales, signed bytes, one a group
//     word 52: d, f16
//     value = d * scale * (q - 32)
//
// Exact in f32 (11 + 7 + 5 bits; -128 and -32 are powers of two), whatever the compiler does with it.

const BLOCK_LEN: u32 = 256u;
const BLOCK_WORDS: u32 = 53u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word + 52u] & 0xffffu);
    let group = i / 16u;
    // The group's byte to the top, then an arithmetic shift back, for the sign.
    let scale = d * f32(bitcast<i32>(weights[word + 48u + group / 4u] << (24u - group % 4u * 8u)) >> 24u);
    let half = i / 128u;
    let lanes = vec4<u32>(0u, 8u, 16u, 24u);
    let ql = weights[word + half * 16u + i % 64u / 4u] >> (i / 64u % 2u * 4u);
    let qh = weights[word + 32u + half * 8u + i % 32u / 4u] >> (i / 32u % 4u * 2u);
    let low = (vec4<u32>(ql) >> lanes) & vec4<u32>(15u);
    let high = (vec4<u32>(qh) >> lanes) & vec4<u32>(3u);
    return scale * (vec4<f32>(low | (high << vec4<u32>(4u))) - 32.0);
}
