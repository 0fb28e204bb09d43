// Dot products of Q4_K: a block is 9 vectors of 16 bytes, one of scales and eight of quants. A unit is one vector of quants:
// its low nibbles are 16 values of sub-block 2 pair, its high ones 16 values of sub-block 2 pair + 1.

const UNIT_LEN: u32 = 32u;

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;

fn unit_dot(row_word: u32, unit: u32, x_row: u32) -> f32 {
    let block = row_word / 4u + unit / 8u * 9u;
    let part = unit % 8u;
    let pair = part / 2u;
    let scales = pair_scales(weights[block], pair);
    let quants = weights[block + 1u + part];
    let at = (x_row + unit / 8u * 256u + pair * 64u + part % 2u * 16u) / 4u;
    var products = vec2(0.0);
    var sums = vec2(0.0);
    for (var i = 0u; i < 4u; i++) {
        let low = x[at + i];
        let high = x[at + 8u + i];
        products += vec2(dot(bytes(quants[i] & 0x0f0f0f0fu), low), dot(bytes((quants[i] >> 4u) & 0x0f0f0f0fu), high));
        sums += vec2(dot(low, vec4(1.0)), dot(high, vec4(1.0)));
    }
    return dot(scales.scale, products) - dot(scales.minimum, sums);
}
