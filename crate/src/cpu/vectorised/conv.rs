//! `out[t, c] = silu(bias[c] + sum_k taps[k, c] * x[t - (d_conv - 1) + k, c])`, a lane a channel.

use std::ops::Range;

use super::ColumnsMut;
use super::math::{load_or_pad, silu, store_or_cut};
use crate::cpu::kernels::Columns;
use crate::cpu::simd::{Simd, SimdKernel};

/// The twin of `kernels::conv1d_silu`, with taps and state transposed.
#[derive(Debug)]
pub struct Conv1dSilu<'a> {
    /// (T, d_inner).
    pub x: Columns<'a>,
    /// T.
    pub tokens: usize,
    /// (d_conv, d_inner).
    pub taps: &'a [f32],
    /// (d_inner).
    pub bias: &'a [f32],
    /// The inputs before the chunk, oldest first, left holding the last ones: (d_conv - 1, d_inner), the channels of `out`.
    pub state: ColumnsMut<'a>,
    /// (T, d_inner), of which these channels are computed.
    pub out: ColumnsMut<'a>,
}

impl SimdKernel for Conv1dSilu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let d_inner = self.bias.len();
        let past = self.taps.len() / d_inner - 1;
        let channels = self.out.columns();
        let mut channel = channels.start;
        while channel < channels.end {
            let lanes = channel..(channel + S::LANES).min(channels.end);
            for t in 0..self.tokens {
                let mut sum = load_or_pad(s, &self.bias[lanes.clone()]);
                for k in 0..=past {
                    let x = load_or_pad(s, self.input(t + k, past, lanes.clone()));
                    sum = s.add(sum, s.mul(load_or_pad(s, &self.taps[k * d_inner..][lanes.clone()]), x));
                }
                store_or_cut(s, silu(s, sum), self.out.row(t, lanes.clone()));
            }
            for k in 0..past {
                // Rows move towards the oldest, so that none is read after it was written.
                let newest = load_or_pad(s, self.input(self.tokens + k, past, lanes.clone()));
                store_or_cut(s, newest, self.state.row(k, lanes.clone()));
            }
            channel = lanes.end;
        }
    }
}

impl Conv1dSilu<'_> {
    /// Row `row` of the state followed by the chunk.
    #[inline(always)]
    fn input(&self, row: usize, past: usize, lanes: Range<usize>) -> &[f32] {
        if row < past { self.state.read(row, lanes) } else { &self.x.row(row - past)[lanes] }
    }
}
