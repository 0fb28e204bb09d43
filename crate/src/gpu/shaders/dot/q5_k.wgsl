// Dot products of Q5_K: a block is 11 vectors of 16 bytes, one of scales, two of fifth bits, eight of quants. Bits 2 pair and
// 2 pair + 1 of the fifth bits' bytes belong to a unit.

fn unit_dot(row_word: u32, unit: u32, v: UnitX) -> f32 {
    let block = row_word / 4u + unit / 8u * 11u;
    let part = unit % 8u;
    let pair = part / 2u;
    let scales = pair_scales(weights[block], pair);
    let fifth = weights[block + 1u + part % 2u] >> vec4(2u * pair);
    let quants = weights[block + 3u + part];
    var products = vec2(0.0);
    for (var i = 0u; i < 4u; i++) {
        let low = (quants[i] & 0x0f0f0f0fu) | ((fifth[i] & 0x01010101u) << 4u);
        let high = ((quants[i] >> 4u) & 0x0f0f0f0fu) | ((fifth[i] & 0x02020202u) << 3u);
        products += vec2(dot(bytes(low), v.low[i]), dot(bytes(high), v.high[i]));
    }
    return dot(scales.scale, products) - dot(scales.minimum, v.sums);
}
