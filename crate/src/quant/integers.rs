//! Blocks taken apart into their integers, in the order of the columns: what other layouts are packed from.

use bytemuck::Pod;

use super::blocks::{self, Nibbles32, ScalesAndMins};
use super::{DType, SUPER_BLOCK_LEN, UNIT_LEN};

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
    pub quants: [u8; SUPER_BLOCK_LEN],
}

impl BlockIntegers {
    /// All zero, and so is every value of such a block but for an offset.
    pub const ZERO: Self =
        Self { d: [0; 2], minimum: [0; 2], scales: [0; 16], minimums: [0; 16], quants: [0; SUPER_BLOCK_LEN] };

    /// Takes one block apart.
    ///
    /// # Panics
    /// Where `bytes` are not one block of a type that has quants.
    pub fn new(dtype: DType, bytes: &[u8]) -> Self {
        let Some(quants) = &dtype.row().quants else { unreachable!("{dtype} has no blocks") };
        assert!(bytes.len() == dtype.block_bytes(), "{} bytes are not one block of {dtype}", bytes.len());
        (quants.integers)(bytes)
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
}

/// A block that can be taken apart.
pub(super) trait Integers: Pod {
    /// Puts its numbers into `out`, which is zero.
    fn take_apart(&self, out: &mut BlockIntegers);
}

/// The numbers of a block's bytes.
pub(super) fn integers_of<B: Integers>(bytes: &[u8]) -> BlockIntegers {
    let mut out = BlockIntegers::ZERO;
    bytemuck::from_bytes::<B>(bytes).take_apart(&mut out);
    out
}

impl Integers for blocks::Q4_0 {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        out.nibbles(0, &self.qs);
    }
}

impl Integers for blocks::Q4_1 {
    fn take_apart(&self, out: &mut BlockIntegers) {
        (out.d, out.minimum) = (self.d, negative(self.m));
        out.nibbles(0, &self.qs);
    }
}

impl Integers for blocks::Q5_0 {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        out.nibbles(0, &self.qs);
        out.fifth_bits(self.qh);
    }
}

impl Integers for blocks::Q5_1 {
    fn take_apart(&self, out: &mut BlockIntegers) {
        (out.d, out.minimum) = (self.d, negative(self.m));
        out.nibbles(0, &self.qs);
        out.fifth_bits(self.qh);
    }
}

impl Integers for blocks::Q8_0 {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        out.quants[..UNIT_LEN].copy_from_slice(bytemuck::cast_slice(&self.qs));
    }
}

impl Integers for blocks::Q2_K {
    fn take_apart(&self, out: &mut BlockIntegers) {
        (out.d, out.minimum) = (self.d, self.dmin);
        out.scales = self.scales.map(|both| both & 15);
        out.minimums = self.scales.map(|both| both >> 4);
        out.bit_pairs(&self.qs);
    }
}

impl Integers for blocks::Q3_K {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        out.bit_pairs(&self.qs);
        for (s, quants) in out.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (q, high) in quants.iter_mut().zip(self.hmask) {
                *q |= (high >> s & 1) << 2;
            }
        }
        for (group, scale) in out.scales.iter_mut().enumerate() {
            let low = self.scales[group % 8] >> (4 * (group / 8)) & 15;
            let high = self.scales[8 + group % 4] >> (2 * (group / 4)) & 3;
            *scale = (low | high << 4).wrapping_sub(32);
        }
    }
}

impl Integers for blocks::Q4_K {
    fn take_apart(&self, out: &mut BlockIntegers) {
        (out.d, out.minimum) = (self.d, self.dmin);
        out.scales_and_mins(&self.scales);
        out.runs_of_nibbles(&self.qs);
    }
}

impl Integers for blocks::Q5_K {
    fn take_apart(&self, out: &mut BlockIntegers) {
        (out.d, out.minimum) = (self.d, self.dmin);
        out.scales_and_mins(&self.scales);
        out.runs_of_nibbles(&self.qs);
        for (group, quants) in out.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (q, high) in quants.iter_mut().zip(self.qh) {
                *q |= (high >> group & 1) << 4;
            }
        }
    }
}

impl Integers for blocks::Q6_K {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        out.scales = self.scales.map(|scale| scale as u8);
        let halves = out.quants.as_chunks_mut::<128>().0.iter_mut();
        for ((half, low), high) in halves.zip(self.ql.as_chunks::<64>().0).zip(self.qh.as_chunks::<32>().0) {
            for (s, quants) in half.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                for (j, q) in quants.iter_mut().enumerate() {
                    *q = low[32 * (s % 2) + j] >> (4 * (s / 2)) & 15 | (high[j] >> (2 * s) & 3) << 4;
                }
            }
        }
    }
}

impl Integers for blocks::IQ4_NL {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        out.nibbles(0, &self.qs);
    }
}

impl Integers for blocks::IQ4_XS {
    fn take_apart(&self, out: &mut BlockIntegers) {
        out.d = self.d;
        let high = u16::from_le_bytes(self.scales_h);
        for (group, qs) in self.qs.iter().enumerate() {
            let low = self.scales_l[group / 2] >> (4 * (group % 2)) & 15;
            let scale = low | ((high >> (2 * group) & 3) as u8) << 4;
            out.scales[group] = scale.wrapping_sub(32);
            out.nibbles(32 * group, qs);
        }
    }
}

/// The f16 of the other sign.
fn negative(half: [u8; 2]) -> [u8; 2] {
    [half[0], half[1] ^ 0x80]
}
