//! exp, softplus, silu, sigmoid and tanh of every lane. Bounds, held by `tests/cpu_math.rs` against f64: exp 1.2e-7 of the value where that is
//! a normal f32 (-87.3 to 88; outside it stays at that end), softplus 3e-7 of the value, silu and
//! sigmoid 2.5e-7; tanh 1.5e-7, not of the value.

use crate::cpu::simd::{Simd, SimdKernel};

/// `e^x`. Range reduction by powers of two and a polynomial of degree 7 (S. Moshier, Cephes, `expf.c`).
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // Between these, the power of two is a normal number.
    let x = s.min(s.max(x, s.splat(-87.3)), s.splat(88.0));
    let n = s.nearest(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let whole = s.to_f(n);
    // ln 2 in two parts, the first with few bits, so that the product is exact.
    let r = s.sub(s.sub(x, s.mul(whole, s.splat(0.693_359_4))), s.mul(whole, s.splat(-2.121_944_4e-4)));
    let mut p = s.splat(1.987_569_1e-4);
    p = s.add(s.mul(p, r), s.splat(1.398_2e-3));
    p = s.add(s.mul(p, r), s.splat(8.333_452e-3));
    p = s.add(s.mul(p, r), s.splat(4.166_579_6e-2));
    p = s.add(s.mul(p, r), s.splat(0.166_666_65));
    p = s.add(s.mul(p, r), s.splat(0.5));
    let e = s.add(s.add(s.mul(p, s.mul(r, r)), r), s.splat(1.0));
    s.mul(e, s.pow2(n))
}

/// `ln(1 + e^x)`, as `max(x, 0) + ln(1 + u)` with `u = e^-|x|`; the logarithm is `2 artanh(u / (2 + u))`, whose series needs
/// eight terms for arguments up to a third.
#[inline(always)]
pub fn softplus<S: Simd>(s: S, x: S::F) -> S::F {
    let u = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    let v = s.div(u, s.add(s.splat(2.0), u));
    let v2 = s.mul(v, v);
    let mut p = s.splat(1.0 / 15.0);
    p = s.add(s.mul(p, v2), s.splat(1.0 / 13.0));
    p = s.add(s.mul(p, v2), s.splat(1.0 / 11.0));
    p = s.add(s.mul(p, v2), s.splat(1.0 / 9.0));
    p = s.add(s.mul(p, v2), s.splat(1.0 / 7.0));
    p = s.add(s.mul(p, v2), s.splat(1.0 / 5.0));
    p = s.add(s.mul(p, v2), s.splat(1.0 / 3.0));
    p = s.add(s.mul(p, v2), s.splat(1.0));
    // In this order a NaN stays a NaN.
    s.add(s.max(s.splat(0.0), x), s.mul(s.add(v, v), p))
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    keep_nan(s, x, s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x)))))
}

/// `y`, or NaN where `x` is no finite number: `exp` makes a number of those.
#[inline(always)]
fn keep_nan<S: Simd>(s: S, x: S::F, y: S::F) -> S::F {
    s.add(s.sub(x, x), y)
}

/// `(1 - u) / (1 + u)` with `u = e^-2x`.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let u = exp(s, s.mul(s.splat(-2.0), x));
    keep_nan(s, x, s.div(s.sub(s.splat(1.0), u), s.add(s.splat(1.0), u)))
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub fn silu<S: Simd>(s: S, x: S::F) -> S::F {
    s.div(x, s.add(s.splat(1.0), exp(s, s.sub(s.splat(0.0), x))))
}

/// The first values of a slice, zeros after its end.
#[inline(always)]
pub fn load_or_pad<S: Simd>(s: S, from: &[f32]) -> S::F {
    if from.len() >= S::LANES {
        return s.load(from);
    }
    let mut padded = [0.0; 16];
    padded[..from.len()].copy_from_slice(from);
    s.load(&padded)
}

/// As much of a vector as there is room for.
#[inline(always)]
pub fn store_or_cut<S: Simd>(s: S, v: S::F, to: &mut [f32]) {
    if to.len() >= S::LANES {
        return s.store(v, to);
    }
    let mut lanes = [0.0; 16];
    s.store(v, &mut lanes);
    let count = to.len();
    to.copy_from_slice(&lanes[..count]);
}

/// One of the functions above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    Exp,
    Softplus,
    Silu,
    Sigmoid,
    Tanh,
}

impl Function {
    /// Its values.
    #[inline(always)]
    pub fn apply<S: Simd>(self, s: S, x: S::F) -> S::F {
        match self {
            Self::Exp => exp(s, x),
            Self::Softplus => softplus(s, x),
            Self::Silu => silu(s, x),
            Self::Sigmoid => sigmoid(s, x),
            Self::Tanh => tanh(s, x),
        }
    }
}

/// A function of every value of a slice, in place.
#[derive(Debug)]
pub struct Apply<'a> {
    /// Which.
    pub function: Function,
    /// Arguments, then results.
    pub values: &'a mut [f32],
}

impl SimdKernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for values in self.values.chunks_mut(S::LANES) {
            let x = load_or_pad(s, values);
            store_or_cut(s, self.function.apply(s, x), values);
        }
    }
}
