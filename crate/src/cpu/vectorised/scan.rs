//! The selective scan: `s = exp(D_t A) s + D_t x B;  out = (C . s + D x) * silu(z)`, a lane a channel.
//!
//! States and A lie in tiles of 16 channels, (d_inner / 16, d_state, 16), the last one filled up: so no sum goes across lanes,
//! and any number of states will do.

use std::ops::Range;

use super::ColumnsMut;
use super::math::{exp, load_or_pad, silu, softplus, store_or_cut};
use crate::cpu::kernels::Columns;
use crate::cpu::simd::{Simd, SimdKernel};
use crate::cpu::tiles::ROWS;

/// The twin of `kernels::selective_scan`.
#[derive(Debug)]
pub struct SelectiveScan<'a> {
    /// The input: (T, d_inner).
    pub x: &'a [f32],
    /// Time step before bias and softplus: (T, d_inner).
    pub dt: &'a [f32],
    /// (d_inner).
    pub dt_bias: &'a [f32],
    /// A in tiles.
    pub a: &'a [f32],
    /// D: (d_inner).
    pub d: &'a [f32],
    /// B, then C: (T, 2 d_state).
    pub bc: &'a [f32],
    /// The gate: (T, d_inner).
    pub z: Columns<'a>,
    /// T.
    pub tokens: usize,
    /// s of the channels of `out`, in tiles.
    pub state: &'a mut [f32],
    /// (T, d_inner), of which these channels are computed: whole tiles.
    pub out: ColumnsMut<'a>,
}

impl SimdKernel for SelectiveScan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let d_inner = self.d.len();
        let d_state = self.a.len() / d_inner.next_multiple_of(ROWS);
        let tiles = self.out.tiles();
        let states = std::mem::take(&mut self.state);
        assert!(states.len() == tiles.len() * ROWS * d_state, "{} states of tiles {tiles:?}", states.len());
        for (tile, state) in tiles.zip(states.chunks_exact_mut(ROWS * d_state)) {
            let a = &self.a[tile * ROWS * d_state..][..ROWS * d_state];
            let mut row = 0;
            while row < ROWS && ROWS * tile + row < d_inner {
                let first = ROWS * tile + row;
                let lanes = first..(first + S::LANES).min(d_inner);
                for t in 0..self.tokens {
                    self.token(s, t, lanes.clone(), &a[row..], &mut state[row..]);
                }
                row += S::LANES;
            }
        }
    }
}

impl SelectiveScan<'_> {
    /// One token of some channels, whose states and A are 16 apart.
    #[inline(always)]
    fn token<S: Simd>(&mut self, s: S, t: usize, lanes: Range<usize>, a: &[f32], state: &mut [f32]) {
        let d_inner = self.d.len();
        let d_state = a.len().div_ceil(ROWS);
        let (b, c) = self.bc[t * 2 * d_state..][..2 * d_state].split_at(d_state);
        let x = load_or_pad(s, &self.x[t * d_inner..][lanes.clone()]);
        let dt = load_or_pad(s, &self.dt[t * d_inner..][lanes.clone()]);
        let dt = softplus(s, s.add(dt, load_or_pad(s, &self.dt_bias[lanes.clone()])));
        let dt_x = s.mul(dt, x);
        let mut y = s.splat(0.0);
        for (((a, state), &b), &c) in a.chunks(ROWS).zip(state.chunks_mut(ROWS)).zip(b).zip(c) {
            let decay = exp(s, s.mul(dt, s.load(a)));
            let v = s.add(s.mul(decay, s.load(state)), s.mul(dt_x, s.splat(b)));
            s.store(v, state);
            y = s.add(y, s.mul(v, s.splat(c)));
        }
        let y = s.add(y, s.mul(load_or_pad(s, &self.d[lanes.clone()]), x));
        let gate = silu(s, load_or_pad(s, &self.z.row(t)[lanes.clone()]));
        store_or_cut(s, s.mul(y, gate), self.out.row(t, lanes));
    }
}
