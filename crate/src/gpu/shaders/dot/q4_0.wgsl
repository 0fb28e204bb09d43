// Dot products of Q4_0: a unit is a block of 32 values in 5 words, the f16 scale and then 16 bytes, which therefore lie half a
// word off; their low nibbles are the first 16 values, their high ones the rest.

@group(0) @binding(2) var<storage, read> weights: array<u32>;

fn unit_dot(row_word: u32, unit: u32, v: UnitX) -> f32 {
    let block = row_word + 5u * unit;
    var word = weights[block];
    let d = half_to_f32(word & 0xffffu);
    var sum = 0.0;
    for (var i = 0u; i < 4u; i++) {
        let next = weights[block + 1u + i];
        let quants = (word >> 16u) | (next << 16u);
        sum += dot(bytes(quants & 0x0f0f0f0fu) - 8.0, v.values[i]);
        sum += dot(bytes((quants >> 4u) & 0x0f0f0f0fu) - 8.0, v.values[4u + i]);
        word = next;
    }
    return d * sum;
}
