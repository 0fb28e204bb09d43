// IQ4_XS: 256 values in 8 groups of 32, 136 bytes = 34 words. Needs half.wgsl.
//
//     word 0: d, f16, and scales_h, the high 2 bits of group g's scale in bit pair g
//     word 1: scales_l, the low 4 bits of group g's scale in nibble g
//     words 2..34: qs, 16 bytes a group, value j in the low nibble of byte j, value j + 16 in the high one
//     value = d * (scale - 32) * IQ4_VALUES[q], a table of uneven steps, dense near zero
//
// Exact in f32 (11 + 5 + 7 bits), whatever the compiler does with it.

const BLOCK_LEN: u32 = 256u;
const BLOCK_WORDS: u32 = 34u;

// The same table as in quant/blocks.rs.
const IQ4_VALUES = array<f32, 16>(
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0,
);

fn decode4(word: u32, i: u32) -> vec4<f32> {
    let d = half_to_f32(weights[word] & 0xffffu);
    let group = i / 32u;
    let scale_low = (weights[word + 1u] >> (group * 4u)) & 15u;
    let scale_high = (weights[word] >> (16u + group * 2u)) & 3u;
    let scale = d * (f32(scale_low | (scale_high << 4u)) - 32.0);
    let four = weights[word + 2u + group * 4u + i % 16u / 4u];
    let q = (vec4<u32>(four >> (i / 16u % 2u * 4u)) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return scale * vec4<f32>(IQ4_VALUES[q.x], IQ4_VALUES[q.y], IQ4_VALUES[q.z], IQ4_VALUES[q.w]);
}
