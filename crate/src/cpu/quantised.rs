//! Activations rounded to 8 bits: each 32 neighbouring values have a scale, `max |v| / 127`.
//!
//! 32 and not the 256 of llama.cpp's Q8_K: where lanes are rows, a scale for each unit costs next to nothing, rounding errors
//! are smaller, and a slice of a matrix's columns needs no whole super-blocks.

use super::kernels::Columns;
use super::simd::{Isa, Simd, SimdKernel};
use crate::quant::UNIT_LEN;

/// 32 neighbouring values of one token: `value = scale * quant`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(16))]
pub struct ActUnit {
    /// From -127 to 127.
    pub quants: [i8; UNIT_LEN],
    /// `max |v| / 127`.
    pub scale: f32,
    /// `scale` times the sum of the first half's quants, of the second's, and of all: what a minimum is multiplied by.
    pub scaled_sums: [f32; 3],
    /// Sums of the first half's quants and of the second's.
    pub sums: [i32; 2],
    /// The quants as 16-bit integers, each four of them in the order 0, 2, 1, 3: what simd128 multiplies.
    #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
    pub wide: [i16; UNIT_LEN],
}

impl ActUnit {
    const ZERO: Self = Self {
        quants: [0; UNIT_LEN],
        scale: 0.0,
        scaled_sums: [0.0; 3],
        sums: [0; 2],
        #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
        wide: [0; UNIT_LEN],
    };

    /// The quants of one half, four to an integer as they lie in memory.
    #[inline(always)]
    pub fn fours(&self, half: usize) -> [i32; 4] {
        let (fours, _) = self.quants.as_chunks::<4>();
        let four = |i: usize| i32::from_ne_bytes(fours[4 * half + i].map(|q| q as u8));
        [four(0), four(1), four(2), four(3)]
    }
}

/// The activations of a chunk, (columns / 32, T): all tokens of a unit side by side, as a matrix product reads them.
#[derive(Debug, Clone, Default)]
pub struct Quantised {
    units: Vec<ActUnit>,
    tokens: usize,
}

impl Quantised {
    /// Rounds the first `tokens` rows of `x`.
    ///
    /// # Panics
    /// Where the columns are not whole units: no quantised matrix has such.
    pub fn set(&mut self, isa: Isa, x: Columns<'_>, tokens: usize) {
        assert!(x.width.is_multiple_of(UNIT_LEN), "{} columns are not whole units of {UNIT_LEN}", x.width);
        self.tokens = tokens;
        self.units.resize(x.width / UNIT_LEN * tokens, ActUnit::ZERO);
        isa.run(Quantise { x, tokens, units: &mut self.units });
    }

    /// All tokens of unit `unit`.
    #[inline(always)]
    pub fn unit(&self, unit: usize) -> &[ActUnit] {
        &self.units[unit * self.tokens..][..self.tokens]
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Number of units of one token.
    pub fn units(&self) -> usize {
        self.units.len() / self.tokens.max(1)
    }
}

struct Quantise<'a> {
    x: Columns<'a>,
    tokens: usize,
    units: &'a mut [ActUnit],
}

impl SimdKernel for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for token in 0..self.tokens {
            for (unit, values) in self.x.row(token).chunks_exact(UNIT_LEN).enumerate() {
                quantise(s, values, &mut self.units[unit * self.tokens + token]);
            }
        }
    }
}

#[inline(always)]
fn quantise<S: Simd>(s: S, values: &[f32], unit: &mut ActUnit) {
    let (mut largest, mut differences) = (s.splat(0.0), s.splat(0.0));
    for v in values.chunks_exact(S::LANES) {
        let v = s.load(v);
        largest = s.max(s.abs(v), largest);
        differences = s.add(differences, s.sub(v, v));
    }
    let mut lanes = [0.0f32; 16];
    s.store(largest, &mut lanes);
    let mut max = 0.0f32;
    for lane in lanes {
        max = if lane > max { lane } else { max };
    }
    // Of v - v: zero, or NaN where a value is infinite or NaN. So is then every product with the unit, as with f32 activations.
    let mut zero = 0.0f32;
    s.store(differences, &mut lanes);
    for lane in lanes {
        zero += lane;
    }
    // Below f32's normal range the quotient would overflow: such values are nothing beside any weight.
    let (scale, inverse) = if max > 1e-30 { (max / 127.0, 127.0 / max) } else { (0.0, 0.0) };
    for (v, quants) in values.chunks_exact(S::LANES).zip(unit.quants.chunks_exact_mut(S::LANES)) {
        s.store_i8(s.nearest(s.mul(s.load(v), s.splat(inverse))), quants);
    }
    let mut sums = [0i32; 2];
    for (sum, half) in sums.iter_mut().zip(unit.quants.as_chunks::<16>().0) {
        for &quant in half {
            *sum += i32::from(quant);
        }
    }
    let scale = scale + zero;
    unit.scale = scale;
    unit.sums = sums;
    unit.scaled_sums = [scale * sums[0] as f32, scale * sums[1] as f32, scale * (sums[0] + sums[1]) as f32];
    #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
    for (wide, four) in unit.wide.as_chunks_mut::<4>().0.iter_mut().zip(unit.quants.as_chunks::<4>().0) {
        *wide = [four[0], four[2], four[1], four[3]].map(i16::from);
    }
}
