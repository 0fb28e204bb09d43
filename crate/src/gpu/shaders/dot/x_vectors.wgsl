// x in vectors of four: for rows of x that start at a multiple of four floats and are whole vectors.

@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;

// Columns `column` to `column + 3` of the row of x that starts at float `x_row`. Only a row without blocks ends inside a unit;
// its weights past the end are zero, but x there is not ours and may not be finite.
fn four_of_x(x_row: u32, column: u32) -> vec4<f32> {
    if BLOCK_LEN < UNIT_LEN && column >= params.columns {
        return vec4(0.0);
    }
    return x[(x_row + column) / 4u];
}
