//! Blocks taken apart into their integers, in the order of the columns: what other layouts are packed from.

use bytemuck::Pod;

use super::blocks::{self, Nibbles32, ScalesAndMins};
use super::{DType, TABLE};

/// The steps of both IQ4 types, by quant.
pub const IQ4_STEPS: [i8; 16] = {
    let mut steps = [0; 16];
    let mut i = 0;
    while i < 16 {
        steps[i] = blocks::IQ4_VALUES[i] as i8;
        i += 1;
    }
    steps
};

/// The numbers of one block. What a type does not have stays zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockIntegers {
    /// The f16 scale, little-endian.
    pub d: [u8; 2],
    /// The f16 minimum, to be subtracted: of Q4_1 and Q5_1, which add theirs, the negative.
    pub minimum: [u8; 2],
    /// Factor of `d` of each group, signed where the type's are.
    pub scales: [u8; 16],
    /// Factor of the minimum of each group.
    pub minimums: [u8; 16],
    /// As stored, with no offset taken off; of Q8_0, signed.
    pub quants: [u8; 256],
}

impl BlockIntegers {
    /// All zero, and so is every value of such a block but for an offset.
    pub const ZERO: Self = Self { d: [0; 2], minimum: [0; 2], scales: [0; 16], minimums: [0; 16], quants: [0; 256] };

    /// Takes one block apart.
    ///
    /// # Panics
    /// Where `bytes` are not one block of a type that has quants.
    pub fn new(dtype: DType, bytes: &[u8]) -> Self {
        let mut out = Self::ZERO;
        match dtype {
            DType::F32 | DType::F16 | DType::BF16 => unreachable!("{dtype} has no blocks"),
            DType::Q4_0 => {
                let b: &blocks::Q4_0 = block(dtype, bytes);
                out.d = b.d;
                out.nibbles(0, &b.qs);
            }
            DType::Q4_1 => {
                let b: &blocks::Q4_1 = block(dtype, bytes);
                (out.d, out.minimum) = (b.d, negative(b.m));
                out.nibbles(0, &b.qs);
            }
            DType::Q5_0 => {
                let b: &blocks::Q5_0 = block(dtype, bytes);
                out.d = b.d;
                out.nibbles(0, &b.qs);
                out.fifth_bits(b.qh);
            }
            DType::Q5_1 => {
                let b: &blocks::Q5_1 = block(dtype, bytes);
                (out.d, out.minimum) = (b.d, negative(b.m));
                out.nibbles(0, &b.qs);
                out.fifth_bits(b.qh);
            }
            DType::Q8_0 => {
                let b: &blocks::Q8_0 = block(dtype, bytes);
                out.d = b.d;
                out.quants[..32].copy_from_slice(bytemuck::cast_slice(&b.qs));
            }
            DType::IQ4_NL => {
                let b: &blocks::IQ4_NL = block(dtype, bytes);
                out.d = b.d;
                out.nibbles(0, &b.qs);
            }
            DType::IQ4_XS => out.iq4_xs(block(dtype, bytes)),
            DType::Q2_K => out.q2_k(block(dtype, bytes)),
            DType::Q3_K => out.q3_k(block(dtype, bytes)),
            DType::Q4_K => {
                let b: &blocks::Q4_K = block(dtype, bytes);
                (out.d, out.minimum) = (b.d, b.dmin);
                out.scales_and_mins(&b.scales);
                out.runs_of_nibbles(&b.qs);
            }
            DType::Q5_K => {
                let b: &blocks::Q5_K = block(dtype, bytes);
                (out.d, out.minimum) = (b.d, b.dmin);
                out.scales_and_mins(&b.scales);
                out.runs_of_nibbles(&b.qs);
                for (group, quants) in out.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                    for (q, high) in quants.iter_mut().zip(b.qh) {
                        *q |= (high >> group & 1) << 4;
                    }
                }
            }
            DType::Q6_K => out.q6_k(block(dtype, bytes)),
        }
        out
    }

    /// 32 quants from column `at`.
    fn nibbles(&mut self, at: usize, qs: &Nibbles32) {
        for (j, byte) in qs.iter().enumerate() {
            self.quants[at + j] = byte & 15;
            self.quants[at + 16 + j] = byte >> 4;
        }
    }

    fn fifth_bits(&mut self, qh: [u8; 4]) {
        let bits = u32::from_le_bytes(qh);
        for (j, q) in self.quants[..32].iter_mut().enumerate() {
            *q |= ((bits >> j & 1) as u8) << 4;
        }
    }

    /// Groups of 32, a pair of them in the two nibbles of 32 bytes.
    fn runs_of_nibbles(&mut self, qs: &[u8; 128]) {
        for (pair, run) in self.quants.as_chunks_mut::<64>().0.iter_mut().zip(qs.as_chunks::<32>().0) {
            for (j, byte) in run.iter().enumerate() {
                pair[j] = byte & 15;
                pair[32 + j] = byte >> 4;
            }
        }
    }

    fn scales_and_mins(&mut self, packed: &ScalesAndMins) {
        for s in 0..4 {
            let (scale, minimum, both) = (packed[s], packed[s + 4], packed[s + 8]);
            self.scales[s] = scale & 63;
            self.minimums[s] = minimum & 63;
            self.scales[s + 4] = both & 15 | (scale >> 6) << 4;
            self.minimums[s + 4] = both >> 4 | (minimum >> 6) << 4;
        }
    }

    fn iq4_xs(&mut self, b: &blocks::IQ4_XS) {
        self.d = b.d;
        let high = u16::from_le_bytes(b.scales_h);
        for (group, qs) in b.qs.iter().enumerate() {
            let low = b.scales_l[group / 2] >> (4 * (group % 2)) & 15;
            let scale = low | ((high >> (2 * group) & 3) as u8) << 4;
            self.scales[group] = scale.wrapping_sub(32);
            self.nibbles(32 * group, qs);
        }
    }

    /// Bit pairs of two runs of 32 bytes.
    fn bit_pairs(&mut self, qs: &[u8; 64]) {
        for (half, run) in self.quants.as_chunks_mut::<128>().0.iter_mut().zip(qs.as_chunks::<32>().0) {
            for (pair, quants) in half.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                for (q, byte) in quants.iter_mut().zip(run) {
                    *q = byte >> (2 * pair) & 3;
                }
            }
        }
    }

    fn q2_k(&mut self, b: &blocks::Q2_K) {
        (self.d, self.minimum) = (b.d, b.dmin);
        self.scales = b.scales.map(|both| both & 15);
        self.minimums = b.scales.map(|both| both >> 4);
        self.bit_pairs(&b.qs);
    }

    fn q3_k(&mut self, b: &blocks::Q3_K) {
        self.d = b.d;
        self.bit_pairs(&b.qs);
        for (s, quants) in self.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (q, high) in quants.iter_mut().zip(b.hmask) {
                *q |= (high >> s & 1) << 2;
            }
        }
        for (group, scale) in self.scales.iter_mut().enumerate() {
            let low = b.scales[group % 8] >> (4 * (group / 8)) & 15;
            let high = b.scales[8 + group % 4] >> (2 * (group / 4)) & 3;
            *scale = (low | high << 4).wrapping_sub(32);
        }
    }

    fn q6_k(&mut self, b: &blocks::Q6_K) {
        self.d = b.d;
        self.scales = b.scales.map(|scale| scale as u8);
        let halves = self.quants.as_chunks_mut::<128>().0.iter_mut();
        for ((half, low), high) in halves.zip(b.ql.as_chunks::<64>().0).zip(b.qh.as_chunks::<32>().0) {
            for (s, quants) in half.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                for (j, q) in quants.iter_mut().enumerate() {
                    *q = low[32 * (s % 2) + j] >> (4 * (s / 2)) & 15 | (high[j] >> (2 * s) & 3) << 4;
                }
            }
        }
    }
}

fn block<B: Pod>(dtype: DType, bytes: &[u8]) -> &B {
    assert!(bytes.len() == TABLE[dtype as usize].4, "{} bytes are not one block of {dtype}", bytes.len());
    bytemuck::from_bytes(bytes)
}

/// The f16 of the other sign.
fn negative(half: [u8; 2]) -> [u8; 2] {
    [half[0], half[1] ^ 0x80]
}
