// ln(1 + u) for 0 <= u <= 1 as 2 atanh(u / (2 + u)). WGSL's log is only exact to 2^-21 near 1, which would cost small
// time steps most of their digits; the series' first term left out is below 2^-26 of the sum.
fn ln_1p(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    let tail = 1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0)));
    return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * tail))));
}

fn softplus(v: f32) -> f32 {
    return select(max(v, 0.0) + ln_1p(exp(-abs(v))), v, v > 20.0);
}
