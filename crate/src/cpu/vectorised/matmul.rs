//! `out = W x` over tiles of 16 rows, with 8-bit activations where the weights have quants.
//!
//! For a row, a token and a unit of 32 columns:
//!
//! ```text
//! dot  = sum quant_w * quant_x - OFFSET * sum quant_x                  (integers)
//! sum += dot * (scale_w * scale_x)                                     (f32, each operation rounded)
//! sum -= minimum_w * (scale_x * sum quant_x)
//! ```
//!
//! for each of the unit's groups, units in order. That is the whole arithmetic, for every instruction set.

use std::marker::PhantomData;
use std::ops::Range;

use super::ColumnsMut;
use crate::cpu::kernels::Columns;
use crate::cpu::quantised::{ActUnit, Quantised};
use crate::cpu::simd::{Isa, Simd, SimdKernel};
use crate::cpu::tiles::format::{self, Format, Header, Unit, with_format};
use crate::cpu::tiles::{ROWS, Tiles};
use crate::quant::{DType, UNIT_LEN};

/// What is multiplied: rounded where the weights have quants, else as it is.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// For weights with quants.
    Quantised(&'a Quantised),
    /// For F32, F16 and BF16: `(T, columns)`.
    Floats(Columns<'a>),
}

/// One product.
#[derive(Debug)]
pub struct MatMul<'a> {
    /// The weights.
    pub w: &'a Tiles,
    /// (T, columns).
    pub x: Input<'a>,
    /// T, at most [`MAX_TOKENS`].
    pub tokens: usize,
    /// `+=` in place of `=`.
    pub accumulate: bool,
    /// (T, rows), of which these are computed: whole tiles.
    pub out: ColumnsMut<'a>,
}

/// The most tokens of one product: their sums lie on the stack.
pub const MAX_TOKENS: usize = 32;

type Sums = [[f32; ROWS]; MAX_TOKENS];

/// Computes some rows.
///
/// # Panics
/// Where shapes do not fit, or there are too many tokens.
pub fn matmul(isa: Isa, m: MatMul<'_>) {
    assert!(m.tokens <= MAX_TOKENS, "a product takes at most {MAX_TOKENS} tokens, not {}", m.tokens);
    match m.x {
        Input::Quantised(x) => {
            let fits = x.units() * UNIT_LEN == m.w.columns() && x.tokens() == m.tokens;
            assert!(fits, "activations do not fit a matrix of {} columns", m.w.columns());
            with_format!(m.w.dtype(), F => quants::<F>(isa, m, x),
                unreachable!("weights without quants are multiplied by floats"));
        }
        Input::Floats(x) => {
            assert!(x.width == m.w.columns(), "{} columns times {} values", m.w.columns(), x.width);
            match m.w.dtype() {
                DType::F32 => isa.run(Floats::<4> { m, x, bf16: false }),
                DType::F16 => isa.run(Floats::<2> { m, x, bf16: false }),
                DType::BF16 => isa.run(Floats::<2> { m, x, bf16: true }),
                other => unreachable!("{other} is multiplied by 8-bit activations"),
            }
        }
    }
}

/// A product by how many tokens there are. Each way is a kernel of its own: together they would be more than a compiler allots registers
/// well for.
fn quants<F: Format>(isa: Isa, m: MatMul<'_>, x: &Quantised) {
    // Signed quants are hardly decoded at all, so that more tokens cost what they cost.
    match m.tokens {
        2 if F::BITS < 8 => isa.run(FewQuants::<F, 2> { m, x, format: PhantomData }),
        3 if F::BITS < 8 => isa.run(FewQuants::<F, 3> { m, x, format: PhantomData }),
        4 if F::BITS < 8 => isa.run(FewQuants::<F, 4> { m, x, format: PhantomData }),
        _ => isa.run(Quants::<F> { m, x, format: PhantomData }),
    }
}

/// Writes the sums of a tile.
#[inline(always)]
fn write(m: &mut MatMul<'_>, tile: usize, sums: &[[f32; ROWS]]) {
    let rows = ROWS * tile..(ROWS * (tile + 1)).min(m.w.rows());
    for (token, sums) in sums.iter().enumerate() {
        for (out, sum) in m.out.row(token, rows.clone()).iter_mut().zip(sums) {
            *out = if m.accumulate { *out + sum } else { *sum };
        }
    }
}

struct Quants<'a, F> {
    m: MatMul<'a>,
    x: &'a Quantised,
    format: PhantomData<F>,
}

impl<F: Format> SimdKernel for Quants<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let mut sums: Sums = [[0.0; ROWS]; MAX_TOKENS];
        let sums = &mut sums[..self.m.tokens];
        for tile in self.m.out.tiles() {
            let bytes = self.m.w.tile(tile);
            match self.m.tokens {
                1 => one_token::<S, F>(s, bytes, self.x, &mut sums[0]),
                _ => {
                    sums.fill([0.0; ROWS]);
                    tokens::<S, F>(s, bytes, self.x, sums);
                }
            }
            write(&mut self.m, tile, sums);
        }
    }
}

/// Sums stay in registers: up to four vectors of them, by how wide a vector is.
#[inline(always)]
fn one_token<S: Simd, F: Format>(s: S, tile: &[u8], x: &Quantised, sums: &mut [f32; ROWS]) {
    let zero = s.splat(0.0);
    let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
    let mut number = 0;
    for block in tile.chunks_exact(const { F::LAYOUT.block_bytes() }) {
        let (head, units) = block.split_at(const { F::LAYOUT.header_bytes() });
        // Once a block: decoding f16 takes several instructions where none does it.
        let h0 = format::header::<S, F>(s, head, 0);
        let h1 = format::header::<S, F>(s, head, S::LANES % ROWS);
        let h2 = format::header::<S, F>(s, head, 2 * S::LANES % ROWS);
        let h3 = format::header::<S, F>(s, head, 3 * S::LANES % ROWS);
        for unit in units.chunks_exact(const { F::LAYOUT.unit_bytes() }) {
            let x = &x.unit(number)[0];
            s0 = one_part::<S, F>(s, h0, unit, 0, x, s0);
            if S::LANES < 16 {
                s1 = one_part::<S, F>(s, h1, unit, S::LANES, x, s1);
            }
            if S::LANES < 8 {
                s2 = one_part::<S, F>(s, h2, unit, 2 * S::LANES, x, s2);
                s3 = one_part::<S, F>(s, h3, unit, 3 * S::LANES, x, s3);
            }
            number += 1;
        }
    }
    for (sums, part) in sums.chunks_exact_mut(S::LANES).zip([s0, s1, s2, s3]) {
        s.store(part, sums);
    }
}

#[inline(always)]
fn one_part<S: Simd, F: Format>(s: S, header: Header<S>, unit: &[u8], row: usize, x: &ActUnit, sum: S::F) -> S::F {
    let unit = format::unit::<S, F>(s, header, unit, row);
    product::<S, F>(s, &unit, x, sum)
}

/// The `N` tokens of a small batch. Where a unit is decoded for so few, sums that go to memory and back cost too much beside it.
struct FewQuants<'a, F, const N: usize> {
    m: MatMul<'a>,
    x: &'a Quantised,
    format: PhantomData<F>,
}

impl<F: Format, const N: usize> SimdKernel for FewQuants<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let mut sums = [[0.0; ROWS]; N];
        for tile in self.m.out.tiles() {
            few_tokens::<S, F, N>(s, self.m.w.tile(tile), self.x, &mut sums);
            write(&mut self.m, tile, &sums);
        }
    }
}

/// Two vectors of rows at a time, which share what is broadcast of the activations. Sums stay in registers.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // see below
fn few_tokens<S: Simd, F: Format, const N: usize>(s: S, tile: &[u8], x: &Quantised, out: &mut [[f32; ROWS]; N]) {
    let mut row = 0;
    while row < ROWS {
        // Two arrays and plain loops: sums in an array of arrays go to memory, before LLVM has unrolled what iterates over them.
        let (mut sums, mut next_sums) = ([s.splat(0.0); N], [s.splat(0.0); N]);
        // Where a vector is a tile there is no second: what is computed of it is not used, and so not compiled.
        let next_row = if S::LANES < ROWS { row + S::LANES } else { row };
        let mut number = 0;
        for block in tile.chunks_exact(const { F::LAYOUT.block_bytes() }) {
            let (head, units) = block.split_at(const { F::LAYOUT.header_bytes() });
            let header = format::header::<S, F>(s, head, row);
            let next_header = format::header::<S, F>(s, head, next_row);
            for unit in units.chunks_exact(const { F::LAYOUT.unit_bytes() }) {
                if let Some(x) = x.unit(number).first_chunk::<N>() {
                    let w = format::unit::<S, F>(s, header, unit, row);
                    let next_w = format::unit::<S, F>(s, next_header, unit, next_row);
                    for t in 0..N {
                        sums[t] = product::<S, F>(s, &w, &x[t], sums[t]);
                        next_sums[t] = product::<S, F>(s, &next_w, &x[t], next_sums[t]);
                    }
                }
                number += 1;
            }
        }
        for (t, out) in out.iter_mut().enumerate() {
            s.store(sums[t], &mut out[row..]);
            if S::LANES < ROWS {
                s.store(next_sums[t], &mut out[next_row..]);
            }
        }
        row += 2 * S::LANES;
    }
}

/// Each unit is decoded once for all tokens.
#[inline(always)]
fn tokens<S: Simd, F: Format>(s: S, tile: &[u8], x: &Quantised, sums: &mut [[f32; ROWS]]) {
    let mut number = 0;
    for block in tile.chunks_exact(const { F::LAYOUT.block_bytes() }) {
        let (head, units) = block.split_at(const { F::LAYOUT.header_bytes() });
        for unit in units.chunks_exact(const { F::LAYOUT.unit_bytes() }) {
            let mut row = 0;
            while row < ROWS {
                let unit = format::unit::<S, F>(s, format::header::<S, F>(s, head, row), unit, row);
                for (x, sums) in x.unit(number).iter().zip(sums.iter_mut()) {
                    let sums = &mut sums[row..][..S::LANES];
                    s.store(product::<S, F>(s, &unit, x, s.load(sums)), sums);
                }
                row += S::LANES;
            }
            number += 1;
        }
    }
}

/// Adds what one unit of weights and one of activations give.
#[inline(always)]
fn product<S: Simd, F: Format>(s: S, w: &Unit<S>, x: &ActUnit, sum: S::F) -> S::F {
    let [q0, q1, q2, q3, q4, q5, q6, q7] = w.quants;
    let (first, second) = ([q0, q1, q2, q3], [q4, q5, q6, q7]);
    if F::LAYOUT.groups == 1 {
        let dot = s.add_i(dot::<S, F>(s, first, x, 0), dot::<S, F>(s, second, x, 1));
        let dot = offset::<S, F>(s, dot, x.sums[0] + x.sums[1]);
        return scaled::<S, F>(s, dot, w.scales[0], w.minimums[0], x.scale, x.scaled_sums[2], sum);
    }
    let low = offset::<S, F>(s, dot::<S, F>(s, first, x, 0), x.sums[0]);
    let high = offset::<S, F>(s, dot::<S, F>(s, second, x, 1), x.sums[1]);
    let sum = scaled::<S, F>(s, low, w.scales[0], w.minimums[0], x.scale, x.scaled_sums[0], sum);
    scaled::<S, F>(s, high, w.scales[1], w.minimums[1], x.scale, x.scaled_sums[1], sum)
}

#[inline(always)]
fn dot<S: Simd, F: Format>(s: S, w: [S::B; 4], x: &ActUnit, half: usize) -> S::I {
    let zero = s.splat_i(0);
    match F::BITS {
        8 => s.dot_signed(zero, w, x, half),
        6 => s.dot::<6>(zero, w, x, half),
        _ => s.dot::<5>(zero, w, x, half),
    }
}

#[inline(always)]
fn offset<S: Simd, F: Format>(s: S, dot: S::I, sum: i32) -> S::I {
    if F::LAYOUT.offset == 0 { dot } else { s.sub_i(dot, s.splat_i(F::LAYOUT.offset * sum)) }
}

#[inline(always)]
fn scaled<S: Simd, F: Format>(
    s: S,
    dot: S::I,
    scale: S::F,
    minimum: S::F,
    x_scale: f32,
    x_sum: f32,
    sum: S::F,
) -> S::F {
    let sum = s.add(sum, s.mul(s.to_f(dot), s.mul(scale, s.splat(x_scale))));
    if F::LAYOUT.minimum { s.sub(sum, s.mul(minimum, s.splat(x_sum))) } else { sum }
}

/// Weights of `BYTES` bytes each, times floats: `sum += w * x`, columns in order.
struct Floats<'a, const BYTES: usize> {
    m: MatMul<'a>,
    x: Columns<'a>,
    bf16: bool,
}

/// A sum is one chain of additions. Four of them side by side hide how long an addition takes: of four tokens, or of four vectors of rows.
const CHAINS: usize = 4;

/// The tile, of those that have `CHAINS` vectors of rows together, and the first row of a vector.
const fn place<S: Simd>(chain: usize) -> (usize, usize) {
    (chain * S::LANES / ROWS, chain * S::LANES % ROWS)
}

impl<const BYTES: usize> SimdKernel for Floats<'_, BYTES> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let mut sums: [Sums; CHAINS] = [[[0.0; ROWS]; MAX_TOKENS]; CHAINS];
        let tokens = self.m.tokens;
        let by_four = tokens - tokens % 4;
        let Range { start: mut tile, end } = self.m.out.tiles();
        while tile < end {
            let count = const { CHAINS * S::LANES / ROWS }.min(end - tile);
            for (tile, sums) in (tile..).zip(&mut sums[..count]) {
                for (four, sums) in sums[..by_four].chunks_exact_mut(4).enumerate() {
                    self.four_tokens(s, tile, 4 * four, sums);
                }
            }
            for token in by_four..tokens {
                self.one_token(s, tile..tile + count, token, &mut sums);
            }
            for (tile, sums) in (tile..).zip(&sums[..count]) {
                write(&mut self.m, tile, &sums[..tokens]);
            }
            tile += count;
        }
    }
}

impl<const BYTES: usize> Floats<'_, BYTES> {
    #[inline(always)]
    fn weights<S: Simd>(&self, s: S, column: &[u8]) -> S::F {
        match BYTES {
            4 => s.f32(column),
            _ if self.bf16 => s.bf16(column),
            _ => s.f16_weights(column),
        }
    }

    /// As many tiles as have four vectors of rows, or fewer at the end.
    #[inline(always)]
    fn one_token<S: Simd>(&self, s: S, tiles: Range<usize>, token: usize, sums: &mut [Sums; CHAINS]) {
        let x = self.x.row(token);
        if tiles.len() == const { CHAINS * S::LANES / ROWS } {
            for (chain, sum) in self.four_vectors(s, tiles.start, x).into_iter().enumerate() {
                let (tile, row) = place::<S>(chain);
                s.store(sum, &mut sums[tile][token][row..]);
            }
            return;
        }
        for (tile, sums) in tiles.zip(sums) {
            for row in (0..ROWS).step_by(S::LANES) {
                let mut sum = s.splat(0.0);
                for (column, &x) in self.m.w.tile(tile).chunks_exact(ROWS * BYTES).zip(x) {
                    sum = s.add(sum, s.mul(self.weights(s, &column[BYTES * row..]), s.splat(x)));
                }
                s.store(sum, &mut sums[token][row..]);
            }
        }
    }

    /// Four vectors of rows for each value that is broadcast.
    #[inline(always)]
    fn four_vectors<S: Simd>(&self, s: S, first: usize, x: &[f32]) -> [S::F; CHAINS] {
        let zero = s.splat(0.0);
        let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
        let columns = |chain| self.m.w.tile(first + place::<S>(chain).0).chunks_exact(ROWS * BYTES);
        let weights = |column: &[u8], chain| self.weights(s, &column[BYTES * place::<S>(chain).1..]);
        for ((((&x, w0), w1), w2), w3) in x.iter().zip(columns(0)).zip(columns(1)).zip(columns(2)).zip(columns(3)) {
            let x = s.splat(x);
            s0 = s.add(s0, s.mul(weights(w0, 0), x));
            s1 = s.add(s1, s.mul(weights(w1, 1), x));
            s2 = s.add(s2, s.mul(weights(w2, 2), x));
            s3 = s.add(s3, s.mul(weights(w3, 3), x));
        }
        [s0, s1, s2, s3]
    }

    /// Four tokens for each weight that is read.
    #[inline(always)]
    fn four_tokens<S: Simd>(&self, s: S, tile: usize, first: usize, sums: &mut [[f32; ROWS]]) {
        let x = [0, 1, 2, 3].map(|t: usize| self.x.row(first + t));
        for row in (0..ROWS).step_by(S::LANES) {
            self.four(s, self.m.w.tile(tile), row, x, sums);
        }
    }

    /// Four tokens for each read of the weights.
    #[inline(always)]
    fn four<S: Simd>(&self, s: S, tile: &[u8], row: usize, x: [&[f32]; 4], sums: &mut [[f32; ROWS]]) {
        let zero = s.splat(0.0);
        let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
        let [x0, x1, x2, x3] = x;
        for ((((column, &x0), &x1), &x2), &x3) in tile.chunks_exact(ROWS * BYTES).zip(x0).zip(x1).zip(x2).zip(x3) {
            let w = self.weights(s, &column[BYTES * row..]);
            s0 = s.add(s0, s.mul(w, s.splat(x0)));
            s1 = s.add(s1, s.mul(w, s.splat(x1)));
            s2 = s.add(s2, s.mul(w, s.splat(x2)));
            s3 = s.add(s3, s.mul(w, s.splat(x3)));
        }
        for (sums, sum) in sums.iter_mut().zip([s0, s1, s2, s3]) {
            s.store(sum, &mut sums[row..]);
        }
    }
}
