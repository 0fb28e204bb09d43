// x in single values: for rows of x that start and end anywhere.

@group(0) @binding(3) var<storage, read> x: array<f32>;

// Column `column` of the row of x that starts at float `x_row`. Only a row without blocks ends inside a unit; its weights past
// the end are zero, but x there is not ours and may not be finite.
fn one_of_x(x_row: u32, column: u32) -> f32 {
    if BLOCK_LEN < UNIT_LEN && column >= params.columns {
        return 0.0;
    }
    return x[x_row + column];
}

// Columns `column` to `column + 3`.
fn four_of_x(x_row: u32, column: u32) -> vec4<f32> {
    return vec4(
        one_of_x(x_row, column),
        one_of_x(x_row, column + 1u),
        one_of_x(x_row, column + 2u),
        one_of_x(x_row, column + 3u),
    );
}
