//! `out[t, c] = silu(bias[c] + sum_k taps[k, c] * x[t - (d_conv - 1) + k, c])`, a lane a channel.

use std::ops::Range;

use super::Shared;
use super::math::{load_or_pad, silu, store_or_cut};
use crate::cpu::kernels::Columns;
use crate::cpu::simd::{Kernel, Simd};

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
    /// The inputs before the chunk, oldest first, left holding the last ones: (d_conv - 1, d_inner).
    pub state: Shared<'a>,
    /// (T, d_inner).
    pub out: Shared<'a>,
    /// Which channels to compute.
    pub channels: Range<usize>,
}

impl Kernel for Conv1dSilu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let d_inner = self.bias.len();
        let past = self.taps.len() / d_inner - 1;
        let mut channel = self.channels.start;
        while channel < self.channels.end {
            let lanes = channel..(channel + S::LANES).min(self.channels.end);
            for t in 0..self.tokens {
                let mut sum = load_or_pad(s, &self.bias[lanes.clone()]);
                for k in 0..=past {
                    let x = load_or_pad(s, self.input(t + k, past, lanes.clone()));
                    sum = s.add(sum, s.mul(load_or_pad(s, &self.taps[k * d_inner..][lanes.clone()]), x));
                }
                // SAFETY: these channels are this thread's alone.
                store_or_cut(s, silu(s, sum), unsafe { self.out.row(t, lanes.clone()) });
            }
            for k in 0..past {
                // Rows move towards the oldest, so that none is read after it was written.
                let newest = load_or_pad(s, self.input(self.tokens + k, past, lanes.clone()));
                // SAFETY: as above; what `input` gave is no longer used.
                store_or_cut(s, newest, unsafe { self.state.row(k, lanes.clone()) });
            }
            channel = lanes.end;
        }
    }
}

impl Conv1dSilu<'_> {
    /// Row `row` of the state followed by the chunk.
    #[inline(always)]
    fn input(&self, row: usize, past: usize, lanes: Range<usize>) -> &[f32] {
        if row < past {
            // SAFETY: these channels are this thread's alone, and each slice of them is used up before the next is made.
            unsafe { self.state.row(row, lanes) }
        } else {
            &self.x.row(row - past)[lanes]
        }
    }
}
