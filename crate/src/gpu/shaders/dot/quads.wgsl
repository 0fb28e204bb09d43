// Dot products for any type and any alignment: a unit is four values, decoded by the type's `decode4`.

const UNIT_LEN: u32 = 4u;

@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;

fn unit_dot(row_word: u32, unit: u32, x_row: u32) -> f32 {
    let column = UNIT_LEN * unit;
    let w = decode4(row_word + column / BLOCK_LEN * BLOCK_WORDS, column % BLOCK_LEN);
    let at = x_row + column;
    if column + UNIT_LEN <= params.columns {
        return dot(w, vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]));
    }
    // The weights past the last column are zero, but x there is not ours and may not be finite.
    var sum = 0.0;
    for (var i = 0u; column + i < params.columns; i++) {
        sum += w[i] * x[at + i];
    }
    return sum;
}
