// The part of x that a unit of weights is multiplied by. Needs `four_of_x` of x_vectors.wgsl or x_values.wgsl.

struct UnitX {
    values: array<vec4<f32>, 8>, // four vectors of run A, four of run B
    sums: vec2<f32>,             // of each run: what the minimums multiply
}

// Of the row of x that starts at float `x_row`.
fn unit_x(x_row: u32, unit: u32) -> UnitX {
    let columns = unit_columns(unit);
    var v: UnitX;
    var a = vec4(0.0);
    var b = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        v.values[i] = four_of_x(x_row, columns.x + 4u * i);
        v.values[4u + i] = four_of_x(x_row, columns.y + 4u * i);
        a += v.values[i];
        b += v.values[4u + i];
    }
    v.sums = vec2(dot(a, vec4(1.0)), dot(b, vec4(1.0)));
    return v;
}
