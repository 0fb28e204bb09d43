//! Decode of the types with 32 values and one f16 scale a block: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.

use super::{Block, half_to_f32};
use crate::quant::blocks::{Nibbles32, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

impl Block<32> for Q4_0 {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 32]) {
        let d = half_to_f32(self.d);
        let quants = nibbles(&self.qs);
        for j in 0..32 {
            out[j] = d * (i32::from(quants[j]) - 8) as f32;
        }
    }
}

impl Block<32> for Q4_1 {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 32]) {
        let (d, m) = (half_to_f32(self.d), half_to_f32(self.m));
        let quants = nibbles(&self.qs);
        for j in 0..32 {
            out[j] = d * f32::from(quants[j]) + m;
        }
    }
}

impl Block<32> for Q5_0 {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 32]) {
        let d = half_to_f32(self.d);
        let (low, high) = (nibbles(&self.qs), fifth_bits(self.qh));
        for j in 0..32 {
            out[j] = d * (i32::from(low[j] | high[j]) - 16) as f32;
        }
    }
}

impl Block<32> for Q5_1 {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 32]) {
        let (d, m) = (half_to_f32(self.d), half_to_f32(self.m));
        let (low, high) = (nibbles(&self.qs), fifth_bits(self.qh));
        for j in 0..32 {
            out[j] = d * f32::from(low[j] | high[j]) + m;
        }
    }
}

impl Block<32> for Q8_0 {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 32]) {
        let d = half_to_f32(self.d);
        for (value, &q) in out.iter_mut().zip(&self.qs) {
            *value = d * f32::from(q);
        }
    }
}

/// 32 nibbles in the order of their values, one a byte.
#[inline(always)]
fn nibbles(qs: &Nibbles32) -> [u8; 32] {
    let mut values = [0; 32];
    for j in 0..16 {
        values[j] = qs[j] & 15;
        values[j + 16] = qs[j] >> 4;
    }
    values
}

/// Bit `j` of `qh` as 0 or 16 in byte `j`. Eight at a time in a u64, because neither SSE2 nor simd128 can shift each
/// lane by its own amount.
#[inline(always)]
fn fifth_bits(qh: [u8; 4]) -> [u8; 32] {
    const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;
    const BIT_J_OF_BYTE_J: u64 = 0x8040_2010_0804_0201;

    let mut values = [0; 32];
    for (eight, bits) in values.as_chunks_mut::<8>().0.iter_mut().zip(qh) {
        let isolated = (u64::from(bits) * EVERY_BYTE) & BIT_J_OF_BYTE_J;
        // A byte that is not zero carries into its own bit 7, never further: 0x80 + 0x7f fits.
        let at_bit_7 = (isolated + 0x7f * EVERY_BYTE) & (0x80 * EVERY_BYTE);
        *eight = (at_bit_7 >> 3).to_le_bytes();
    }
    values
}
