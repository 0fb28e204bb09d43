// Dot products of Q8_0: a unit is a block of 32 values in 9 words, the f16 scale and then signed bytes, which therefore lie
// half a word off.

@group(0) @binding(2) var<storage, read> weights: array<u32>;

fn unit_dot(row_word: u32, unit: u32, v: UnitX) -> f32 {
    let block = row_word + 9u * unit;
    var word = weights[block];
    let d = half_to_f32(word & 0xffffu);
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        let next = weights[block + 1u + i];
        sum += dot(signed_bytes((word >> 16u) | (next << 16u)), v.values[i]);
        word = next;
    }
    return d * sum;
}
