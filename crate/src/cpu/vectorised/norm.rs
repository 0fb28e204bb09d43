//! `out = x / sqrt(mean(x^2) + eps) * weight`, row by row.

use crate::cpu::simd::{Simd, SimdKernel};

/// The twin of `kernels::rms_norm`. The squares are added in 16 columns, as many as the widest vector has, whatever the
/// vector's width.
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

#[inline(always)]
fn sum_of_squares<S: Simd>(s: S, x: &[f32]) -> f32 {
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
    let mut total = 0.0;
    for sum in sums {
        total += sum;
    }
    total
}
