// Products of quantised weights and 8-bit activations, in integers within a run.

struct UnitX {
    a: vec4<u32>,
    b: vec4<u32>,
    d: vec2<f32>,
    sums: vec2<f32>,
}

fn unit_x(row: u32, unit: u32) -> UnitX {
    let runs = unit_columns(unit) / RUN_LEN;
    let a = run_scale(row, runs.x);
    let b = run_scale(row, runs.y);
    return UnitX(acts[row + runs.x], acts[row + runs.y], vec2(a.x, b.x), vec2(a.y, b.y));
}

fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

alias UnitWeights = Unit;

fn unit_weights(row: u32, unit: u32) -> UnitWeights {
    return load_unit(row, BLOCKS, unit);
}

fn unit_product(w: UnitWeights, x: UnitX) -> f32 {
    let products = vec2(f32(dot16(w.q[0], x.a)), f32(dot16(w.q[1], x.b)));
    var sum = dot(w.scale * x.d, products);
    if HAS_MINIMUM {
        sum -= dot(w.minimum, x.sums);
    }
    return sum;
}
