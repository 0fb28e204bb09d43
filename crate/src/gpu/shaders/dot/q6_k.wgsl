// Dot products of Q6_K: a block is 53 words, 32 of low nibbles, 16 of high bit pairs, 4 of scales, one with d. A unit is one
// word of bit pairs with its two words of nibbles: 4 values in each of 4 sub-blocks, 32 columns apart.

const UNIT_LEN: u32 = 16u;

@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;

struct UnitX {
    values: array<vec4<f32>, 4>,
}

fn unit_x(unit: u32, x_row: u32) -> UnitX {
    let at = (x_row + unit / 16u * 256u + unit % 16u / 8u * 128u + 4u * (unit % 8u)) / 4u;
    return UnitX(array<vec4<f32>, 4>(x[at], x[at + 8u], x[at + 16u], x[at + 24u]));
}

fn unit_dot(row_word: u32, unit: u32, v: UnitX) -> f32 {
    let block = row_word + unit / 16u * 53u;
    let side = unit % 16u / 8u; // which 128 values
    let word = unit % 8u;
    let nibbles = vec2(weights[block + 16u * side + word], weights[block + 16u * side + 8u + word]);
    let pairs = weights[block + 32u + 8u * side + word];
    let low = nibbles & vec2(0x0f0f0f0fu);
    let high = (nibbles >> vec2(4u)) & vec2(0x0f0f0f0fu);
    // Scales of the four sub-blocks: bytes 0, 2, 4 and 6 from the first one on.
    let first = vec2(8u * (word / 4u));
    let scale_words = vec2(weights[block + 48u + 2u * side], weights[block + 49u + 2u * side]) >> first;
    let scales = vec4(
        signed_bytes(scale_words.x).x, signed_bytes(scale_words.x).z,
        signed_bytes(scale_words.y).x, signed_bytes(scale_words.y).z,
    );
    let products = vec4(
        dot(bytes(low.x | ((pairs & 0x03030303u) << 4u)) - 32.0, v.values[0]),
        dot(bytes(low.y | ((pairs & 0x0c0c0c0cu) << 2u)) - 32.0, v.values[1]),
        dot(bytes(high.x | (pairs & 0x30303030u)) - 32.0, v.values[2]),
        dot(bytes(high.y | ((pairs & 0xc0c0c0c0u) >> 2u)) - 32.0, v.values[3]),
    );
    return half_to_f32(weights[block + 52u] & 0xffffu) * dot(scales, products);
}
