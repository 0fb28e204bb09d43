// 1 / (1 + exp(-x)). Only exponentials of what is not above 0 are taken: WGSL need not give infinity for one that overflows.
fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}

fn sigmoid4(x: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(x));
    return select(vec4(1.0), e, x < vec4(0.0)) / (1.0 + e);
}
