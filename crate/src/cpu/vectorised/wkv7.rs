//! RWKV-7's recurrence, by heads. A lane is a row of S, a value: so no sum over keys goes across lanes.
//!
//! S lies in tiles of 16 rows, (columns / 16, head_size, 16), of which a head has whole ones.

use super::ColumnsMut;
use super::math::{exp, sigmoid};
use super::norm::{sum, sum_of_squares};
use crate::cpu::kernels::{DECAY, WkvInputs};
use crate::cpu::simd::{Simd, SimdKernel};
use crate::cpu::tiles::ROWS;
use crate::model::arch::rwkv7::MAX_HEAD_SIZE;

/// The twin of `kernels::wkv7`.
#[derive(Debug)]
pub struct Wkv7<'a> {
    /// What is read, of all heads.
    pub inputs: WkvInputs<'a>,
    /// Channels of a head: whole tiles.
    pub head_size: usize,
    /// T.
    pub tokens: usize,
    /// S of the heads of `out`, in tiles.
    pub state: &'a mut [f32],
    /// (T, columns), of which these heads are computed.
    pub out: ColumnsMut<'a>,
}

/// What a token does to the state of a head, by key.
struct Keys {
    r: [f32; MAX_HEAD_SIZE],
    decay: [f32; MAX_HEAD_SIZE],
    k: [f32; MAX_HEAD_SIZE],
    /// The key that is removed, of length 1.
    kk: [f32; MAX_HEAD_SIZE],
    /// `kk * a`.
    kk_a: [f32; MAX_HEAD_SIZE],
    /// `r * k * r_k`.
    bonus: [f32; MAX_HEAD_SIZE],
}

impl SimdKernel for Wkv7<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let n = self.head_size;
        let columns = self.out.columns();
        assert!(n.is_multiple_of(ROWS) && n <= MAX_HEAD_SIZE && columns.len().is_multiple_of(n), "heads of {n}");
        assert!(self.state.len() == columns.len() * n, "{} states of columns {columns:?}", self.state.len());
        let zeros = [0.0; MAX_HEAD_SIZE];
        let mut keys = Keys { r: zeros, decay: zeros, k: zeros, kk: zeros, kk_a: zeros, bonus: zeros };
        let states = std::mem::take(&mut self.state);
        for (head, state) in columns.step_by(n).zip(states.chunks_exact_mut(n * n)) {
            for t in 0..self.tokens {
                self.keys(s, t, head, &mut keys);
                self.token(s, t, head, &keys, state);
            }
        }
    }
}

impl Wkv7<'_> {
    /// Columns of a token of the head that begins at column `head`.
    #[inline(always)]
    fn of_token<'a>(&self, values: &'a [f32], t: usize, head: usize) -> &'a [f32] {
        let columns = self.inputs.norm[0].len();
        &values[t * columns + head..][..self.head_size]
    }

    #[inline(always)]
    fn keys<S: Simd>(&self, s: S, t: usize, head: usize, keys: &mut Keys) {
        let n = self.head_size;
        let WkvInputs { r, w, k, a, weights, .. } = self.inputs;
        let [r, w, k, a] = [r, w, k, a].map(|values| self.of_token(values, t, head));
        let [w0, a0, k_k, k_a, r_k] = weights.map(|weights| &weights[head..][..n]);
        let one = s.splat(1.0);
        let mut at = 0;
        while at < n {
            let decay = sigmoid(s, s.add(s.load(&w[at..]), s.load(&w0[at..])));
            s.store(exp(s, s.mul(s.splat(DECAY), decay)), &mut keys.decay[at..]);
            let a = sigmoid(s, s.add(s.load(&a[at..]), s.load(&a0[at..])));
            let (r, k) = (s.load(&r[at..]), s.load(&k[at..]));
            let kk = s.mul(k, s.load(&k_k[at..]));
            let k = s.mul(k, s.add(one, s.mul(s.sub(a, one), s.load(&k_a[at..]))));
            s.store(r, &mut keys.r[at..]);
            s.store(k, &mut keys.k[at..]);
            s.store(kk, &mut keys.kk[at..]);
            s.store(s.mul(kk, a), &mut keys.kk_a[at..]);
            s.store(s.mul(s.mul(r, k), s.load(&r_k[at..])), &mut keys.bonus[at..]);
            at += S::LANES;
        }
        let length = s.splat(sum_of_squares(s, &keys.kk[..n]).sqrt().max(1e-12));
        let mut at = 0;
        while at < n {
            s.store(s.div(s.load(&keys.kk[at..]), length), &mut keys.kk[at..]);
            s.store(s.div(s.load(&keys.kk_a[at..]), length), &mut keys.kk_a[at..]);
            at += S::LANES;
        }
    }

    /// One token of the head that begins at column `head`.
    #[inline(always)]
    fn token<S: Simd>(&mut self, s: S, t: usize, head: usize, keys: &Keys, state: &mut [f32]) {
        let n = self.head_size;
        let v = self.of_token(self.inputs.v, t, head);
        let mut y = [0.0; MAX_HEAD_SIZE];
        for (tile, state) in state.chunks_exact_mut(ROWS * n).enumerate() {
            let mut row = 0;
            while row < ROWS {
                let first = ROWS * tile + row;
                let read = update(s, keys, s.load(&v[first..]), &mut state[row..]);
                s.store(read, &mut y[first..]);
                row += S::LANES;
            }
        }
        let y = &mut y[..n];
        let mean = s.splat(sum(s, y) / n as f32);
        let mut at = 0;
        while at < n {
            s.store(s.sub(s.load(&y[at..]), mean), &mut y[at..]);
            at += S::LANES;
        }
        let scale = s.splat(1.0 / (sum_of_squares(s, y) / n as f32 + self.inputs.eps).sqrt());
        let bonus = s.splat(sum(s, &keys.bonus[..n]));
        let [weight, bias] = self.inputs.norm.map(|values| &values[head..][..n]);
        let out = self.out.row(t, head..head + n);
        let mut at = 0;
        while at < n {
            let normed = s.mul(s.mul(s.load(&y[at..]), scale), s.load(&weight[at..]));
            let bonus = s.mul(bonus, s.load(&v[at..]));
            s.store(s.add(s.add(normed, s.load(&bias[at..])), bonus), &mut out[at..]);
            at += S::LANES;
        }
    }
}

/// `S_ij = S_ij w_j + v_i k_j - (sum_m S_im kk_m) kk_j a_j` of some rows, whose columns are 16 apart; gives `sum_j S_ij r_j`.
///
/// Each sum has four parts, so that an addition need not wait for the one before.
#[inline(always)]
fn update<S: Simd>(s: S, keys: &Keys, v: S::F, state: &mut [f32]) -> S::F {
    let zero = s.splat(0.0);
    let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
    for (columns, kk) in state.chunks(4 * ROWS).zip(keys.kk.as_chunks::<4>().0) {
        s0 = s.add(s0, s.mul(s.load(columns), s.splat(kk[0])));
        s1 = s.add(s1, s.mul(s.load(&columns[ROWS..]), s.splat(kk[1])));
        s2 = s.add(s2, s.mul(s.load(&columns[2 * ROWS..]), s.splat(kk[2])));
        s3 = s.add(s3, s.mul(s.load(&columns[3 * ROWS..]), s.splat(kk[3])));
    }
    let removed = s.add(s.add(s0, s1), s.add(s2, s3));
    (s0, s1, s2, s3) = (zero, zero, zero, zero);
    for (four, columns) in state.chunks_mut(4 * ROWS).enumerate() {
        let j = 4 * four;
        s0 = s.add(s0, column(s, keys, j, [v, removed], columns));
        s1 = s.add(s1, column(s, keys, j + 1, [v, removed], &mut columns[ROWS..]));
        s2 = s.add(s2, column(s, keys, j + 2, [v, removed], &mut columns[2 * ROWS..]));
        s3 = s.add(s3, column(s, keys, j + 3, [v, removed], &mut columns[3 * ROWS..]));
    }
    s.add(s.add(s0, s1), s.add(s2, s3))
}

/// Updates column `j`; gives its part of the reading.
#[inline(always)]
fn column<S: Simd>(s: S, keys: &Keys, j: usize, [v, removed]: [S::F; 2], column: &mut [f32]) -> S::F {
    let kept = s.mul(s.load(column), s.splat(keys.decay[j]));
    let new = s.sub(s.add(kept, s.mul(v, s.splat(keys.k[j]))), s.mul(removed, s.splat(keys.kk_a[j])));
    s.store(new, column);
    s.mul(new, s.splat(keys.r[j]))
}
