// Products of weights without quants, and any activations.

struct UnitX {
    a: array<vec4<f32>, 4>,
    b: array<vec4<f32>, 4>,
}

fn unit_x(row: u32, unit: u32) -> UnitX {
    let runs = unit_columns(unit) / RUN_LEN;
    return UnitX(
        array(run_values(row, runs.x, 0u), run_values(row, runs.x, 1u), run_values(row, runs.x, 2u), run_values(row, runs.x, 3u)),
        array(run_values(row, runs.y, 0u), run_values(row, runs.y, 1u), run_values(row, runs.y, 2u), run_values(row, runs.y, 3u)),
    );
}

alias UnitWeights = array<vec4<f32>, 8>;

fn unit_weights(row: u32, unit: u32) -> UnitWeights {
    return unit_values(row, BLOCKS, unit);
}

fn unit_product(w: UnitWeights, x: UnitX) -> f32 {
    return dot(w[0], x.a[0]) + dot(w[1], x.a[1]) + dot(w[2], x.a[2]) + dot(w[3], x.a[3])
        + dot(w[4], x.b[0]) + dot(w[5], x.b[1]) + dot(w[6], x.b[2]) + dot(w[7], x.b[3]);
}
