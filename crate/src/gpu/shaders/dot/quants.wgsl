// Dot products of quantised units: sum of scale * q * x - minimum * sum of x, for each run.

fn unit_dot(row: u32, blocks: u32, unit: u32, v: UnitX) -> f32 {
    let u = load_unit(row, blocks, unit);
    let a = u.q[0];
    let b = u.q[1];
    let products = vec2(
        dot(unpack(a.x), v.values[0]) + dot(unpack(a.y), v.values[1])
            + dot(unpack(a.z), v.values[2]) + dot(unpack(a.w), v.values[3]),
        dot(unpack(b.x), v.values[4]) + dot(unpack(b.y), v.values[5])
            + dot(unpack(b.z), v.values[6]) + dot(unpack(b.w), v.values[7]),
    );
    var sum = dot(u.scale, products);
    if HAS_MINIMUM {
        sum -= dot(u.minimum, v.sums);
    }
    return sum;
}
