// Dot products of Q5_K: a block is 11 vectors of 16 bytes, one of scales, two of fifth bits, eight of quants. A unit is one
// vector of quants, as in Q4_K; bits 2 pair and 2 pair + 1 of the fifth bits' bytes belong to it.

const UNIT_LEN: u32 = 32u;

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;

fn unit_dot(row_word: u32, unit: u32, x_row: u32) -> f32 {
    let block = row_word / 4u + unit / 8u * 11u;
    let part = unit % 8u;
    let pair = part / 2u;
    let scales = pair_scales(weights[block], pair);
    let fifth = weights[block + 1u + part % 2u] >> vec4(2u * pair);
    let quants = weights[block + 3u + part];
    let at = (x_row + unit / 8u * 256u + pair * 64u + part % 2u * 16u) / 4u;
    var products = vec2(0.0);
    var sums = vec2(0.0);
    for (var i = 0u; i < 4u; i++) {
        let low = x[at + i];
        let high = x[at + 8u + i];
        let low_quants = (quants[i] & 0x0f0f0f0fu) | ((fifth[i] & 0x01010101u) << 4u);
        let high_quants = ((quants[i] >> 4u) & 0x0f0f0f0fu) | ((fifth[i] & 0x02020202u) << 3u);
        products += vec2(dot(bytes(low_quants), low), dot(bytes(high_quants), high));
        sums += vec2(dot(low, vec4(1.0)), dot(high, vec4(1.0)));
    }
    return dot(scales.scale, products) - dot(scales.minimum, sums);
}
