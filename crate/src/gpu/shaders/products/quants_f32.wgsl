// Products of quantised weights and f32 activations: the quants are multiplied as they are, scale and minimum come last.

struct UnitX {
    a: array<vec4<f32>, 4>,
    b: array<vec4<f32>, 4>,
    sums: vec2<f32>,
}

fn unit_x(row: u32, unit: u32) -> UnitX {
    let runs = unit_columns(unit) / RUN_LEN;
    let a = array(run_values(row, runs.x, 0u), run_values(row, runs.x, 1u), run_values(row, runs.x, 2u), run_values(row, runs.x, 3u));
    let b = array(run_values(row, runs.y, 0u), run_values(row, runs.y, 1u), run_values(row, runs.y, 2u), run_values(row, runs.y, 3u));
    var sums = vec2(0.0);
    if HAS_MINIMUM {
        sums = vec2(dot(a[0] + a[1] + a[2] + a[3], vec4(1.0)), dot(b[0] + b[1] + b[2] + b[3], vec4(1.0)));
    }
    return UnitX(a, b, sums);
}

alias UnitWeights = Unit;

fn unit_weights(row: u32, unit: u32) -> UnitWeights {
    return load_unit(row, BLOCKS, unit);
}

fn unit_product(w: UnitWeights, x: UnitX) -> f32 {
    let a = w.q[0];
    let b = w.q[1];
    let products = vec2(
        dot(unpack(a.x), x.a[0]) + dot(unpack(a.y), x.a[1]) + dot(unpack(a.z), x.a[2]) + dot(unpack(a.w), x.a[3]),
        dot(unpack(b.x), x.b[0]) + dot(unpack(b.y), x.b[1]) + dot(unpack(b.z), x.b[2]) + dot(unpack(b.w), x.b[3]),
    );
    var sum = dot(w.scale, products);
    if HAS_MINIMUM {
        sum -= dot(w.minimum, x.sums);
    }
    return sum;
}
