//! The norms, row by row. Sums are made in 16 columns, as many as the widest vector has, whatever the vector's width.

use crate::cpu::simd::{Simd, SimdKernel};

/// The twin of `kernels::rms_norm`.
#[derive(Debug)]
pub struct RmsNorm<'a> {
    /// (rows, width).
    pub x: &'a [f32],
    /// (width).
    pub weight: &'a [f32],
    /// Added to the mean.
    pub eps: f32,
    /// (rows, width).
    pub out: &'a mut [f32],
}

impl SimdKernel for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let scale = 1.0 / (sum_of_squares(s, x) / width as f32 + self.eps).sqrt();
            let vectors = width / S::LANES * S::LANES;
            let (mut at, v_scale) = (0, s.splat(scale));
            while at < vectors {
                let v = s.mul(s.mul(s.load(&x[at..]), v_scale), s.load(&self.weight[at..]));
                s.store(v, &mut out[at..]);
                at += S::LANES;
            }
            for ((out, x), weight) in out[at..].iter_mut().zip(&x[at..]).zip(&self.weight[at..]) {
                *out = x * scale * weight;
            }
        }
    }
}

/// The twin of `kernels::layer_norm`.
#[derive(Debug)]
pub struct LayerNorm<'a> {
    /// (rows, width).
    pub x: &'a [f32],
    /// Factors, (width).
    pub weight: &'a [f32],
    /// Summands, (width).
    pub bias: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
    /// (rows, width).
    pub out: &'a mut [f32],
}

impl SimdKernel for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let mean = sum(s, x) / width as f32;
            out.iter_mut().zip(x).for_each(|(o, x)| *o = x - mean);
            let scale = 1.0 / (sum_of_squares(s, out) / width as f32 + self.eps).sqrt();
            out.iter_mut().zip(self.weight).zip(self.bias).for_each(|((o, w), b)| *o = *o * scale * w + b);
        }
    }
}

/// `sum(x)`.
#[inline(always)]
pub fn sum<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let sixteens = x.chunks_exact(16);
    let rest = sixteens.remainder();
    for values in sixteens {
        for (sums, values) in sums.chunks_exact_mut(S::LANES).zip(values.chunks_exact(S::LANES)) {
            s.store(s.add(s.load(sums), s.load(values)), sums);
        }
    }
    sums.iter_mut().zip(rest).for_each(|(sum, v)| *sum += v);
    total(sums)
}

/// `sum(x^2)`.
#[inline(always)]
pub fn sum_of_squares<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let sixteens = x.chunks_exact(16);
    let rest = sixteens.remainder();
    for values in sixteens {
        for (sums, values) in sums.chunks_exact_mut(S::LANES).zip(values.chunks_exact(S::LANES)) {
            let v = s.load(values);
            s.store(s.add(s.load(sums), s.mul(v, v)), sums);
        }
    }
    for (sum, &v) in sums.iter_mut().zip(rest) {
        *sum += v * v;
    }
    total(sums)
}

#[inline(always)]
fn total(sums: [f32; 16]) -> f32 {
    let mut total = 0.0;
    for sum in sums {
        total += sum;
    }
    total
}
