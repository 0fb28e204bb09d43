// x for types whose unit is a block of 32 values.

const UNIT_LEN: u32 = 32u;

@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;

struct UnitX {
    values: array<vec4<f32>, 8>,
}

fn unit_x(unit: u32, x_row: u32) -> UnitX {
    let at = (x_row + UNIT_LEN * unit) / 4u;
    var v: UnitX;
    for (var i = 0u; i < 8u; i++) {
        v.values[i] = x[at + i];
    }
    return v;
}
