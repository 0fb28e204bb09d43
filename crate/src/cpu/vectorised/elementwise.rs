//! Functions of single values, and RWKV-7's value residual.

use super::math::{self, load_or_pad, sigmoid, store_or_cut};
use crate::cpu::kernels;
use crate::cpu::simd::{Simd, SimdKernel};
use crate::model::Function;

/// The twin of `kernels::elementwise`.
#[derive(Debug)]
pub struct Elementwise<'a> {
    /// Which.
    pub function: Function,
    /// Arguments.
    pub x: &'a [f32],
    /// As many results.
    pub out: &'a mut [f32],
}

impl SimdKernel for Elementwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { function, x, out } = self;
        let function = match function {
            Function::Tanh => math::Function::Tanh,
            Function::Sigmoid => math::Function::Sigmoid,
            // A comparison and a product, which compilers vectorise.
            Function::SquaredRelu => return kernels::elementwise(function, x, out),
        };
        for (x, out) in x.chunks(S::LANES).zip(out.chunks_mut(S::LANES)) {
            store_or_cut(s, function.apply(s, load_or_pad(s, x)), out);
        }
    }
}

/// The twin of `kernels::value_residual`.
#[derive(Debug)]
pub struct ValueResidual<'a> {
    /// x, first and mix: (T, width) each.
    pub reads: [&'a [f32]; 3],
    /// (width).
    pub bias: &'a [f32],
    /// (T, width).
    pub out: &'a mut [f32],
}

impl SimdKernel for ValueResidual<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.bias.len();
        for (t, out) in self.out.chunks_exact_mut(width).enumerate() {
            let [x, first, mix] = self.reads.map(|values| &values[t * width..][..width]);
            let mut at = 0;
            while at < width {
                let lanes = at..(at + S::LANES).min(width);
                let bias = load_or_pad(s, &self.bias[lanes.clone()]);
                let mix = sigmoid(s, s.add(load_or_pad(s, &mix[lanes.clone()]), bias));
                let x = load_or_pad(s, &x[lanes.clone()]);
                let mixed = s.add(x, s.mul(s.sub(load_or_pad(s, &first[lanes.clone()]), x), mix));
                at = lanes.end;
                store_or_cut(s, mixed, &mut out[lanes]);
            }
        }
    }
}
