// Dot products for any type and any alignment: a unit is four values, decoded by the type's `decode4`.

const UNIT_LEN: u32 = 4u;

@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;

struct UnitX {
    values: vec4<f32>,
}

// The weights past the last column are zero, but x there is not ours and may not be finite: it is left out.
fn unit_x(unit: u32, x_row: u32) -> UnitX {
    let at = x_row + UNIT_LEN * unit;
    let count = min(UNIT_LEN, params.columns - UNIT_LEN * unit);
    var values = vec4(0.0);
    for (var i = 0u; i < count; i++) {
        values[i] = x[at + i];
    }
    return UnitX(values);
}

fn unit_dot(row_word: u32, unit: u32, v: UnitX) -> f32 {
    let column = UNIT_LEN * unit;
    return dot(decode4(row_word + column / BLOCK_LEN * BLOCK_WORDS, column % BLOCK_LEN), v.values);
}
