// Dot products of Q4_K: a block is 9 vectors of 16 bytes, one of scales and eight of quants.

fn unit_dot(row_word: u32, unit: u32, v: UnitX) -> f32 {
    let block = row_word / 4u + unit / 8u * 9u;
    let part = unit % 8u;
    let scales = pair_scales(weights[block], part / 2u);
    let quants = weights[block + 1u + part];
    var products = vec2(0.0);
    for (var i = 0u; i < 4u; i++) {
        products.x += dot(bytes(quants[i] & 0x0f0f0f0fu), v.low[i]);
        products.y += dot(bytes((quants[i] >> 4u) & 0x0f0f0f0fu), v.high[i]);
    }
    return dot(scales.scale, products) - dot(scales.minimum, v.sums);
}
