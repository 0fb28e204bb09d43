//! Decode of the K types: super-blocks of 256 values in groups of 16 or 32 with integer scales of their own.

use super::{Block, half_to_f32};
use crate::quant::blocks::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, ScalesAndMins};

impl Block<256> for Q2_K {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 256]) {
        let (d, dmin) = (half_to_f32(self.d), half_to_f32(self.dmin));
        let (qs, _) = self.qs.as_chunks::<16>();
        for (group, values) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let scale = d * f32::from(self.scales[group] & 15);
            let min = dmin * f32::from(self.scales[group] >> 4);
            let (half, pair, side) = (group / 8, group / 2 % 4, group % 2);
            let low = &qs[2 * half + side];
            for j in 0..16 {
                values[j] = scale * f32::from(low[j] >> (2 * pair) & 3) - min;
            }
        }
    }
}

impl Block<256> for Q3_K {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 256]) {
        let d = half_to_f32(self.d);
        let (qs, _) = self.qs.as_chunks::<16>();
        let (hmask, _) = self.hmask.as_chunks::<16>();
        for (group, values) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let scale_low = self.scales[group % 8] >> (4 * (group / 8)) & 15;
            let scale_high = self.scales[8 + group % 4] >> (2 * (group / 4)) & 3;
            let scale = d * (i32::from(scale_low | scale_high << 4) - 32) as f32;
            let (half, pair, side) = (group / 8, group / 2 % 4, group % 2);
            let (low, high) = (&qs[2 * half + side], &hmask[side]);
            for j in 0..16 {
                let q = low[j] >> (2 * pair) & 3 | (high[j] >> (group / 2) & 1) << 2;
                values[j] = scale * (i32::from(q) - 4) as f32;
            }
        }
    }
}

impl Block<256> for Q4_K {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 256]) {
        let (d, dmin) = (half_to_f32(self.d), half_to_f32(self.dmin));
        let (qs, _) = self.qs.as_chunks::<32>();
        for (group, values) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (scale, min) = scale_and_min(&self.scales, group);
            let (scale, min) = (d * scale, dmin * min);
            let low = &qs[group / 2];
            for j in 0..32 {
                values[j] = scale * f32::from(low[j] >> (4 * (group % 2)) & 15) - min;
            }
        }
    }
}

impl Block<256> for Q5_K {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 256]) {
        let (d, dmin) = (half_to_f32(self.d), half_to_f32(self.dmin));
        let (qs, _) = self.qs.as_chunks::<32>();
        for (group, values) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (scale, min) = scale_and_min(&self.scales, group);
            let (scale, min) = (d * scale, dmin * min);
            let low = &qs[group / 2];
            for j in 0..32 {
                let q = low[j] >> (4 * (group % 2)) & 15 | (self.qh[j] >> group & 1) << 4;
                values[j] = scale * f32::from(q) - min;
            }
        }
    }
}

impl Block<256> for Q6_K {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 256]) {
        let d = half_to_f32(self.d);
        let (ql, _) = self.ql.as_chunks::<16>();
        let (qh, _) = self.qh.as_chunks::<16>();
        for (group, values) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let scale = d * f32::from(self.scales[group]);
            let (half, nibble, pair, side) = (group / 8, group / 4 % 2, group / 2 % 4, group % 2);
            let (low, high) = (&ql[4 * half + group % 4], &qh[2 * half + side]);
            for j in 0..16 {
                let q = low[j] >> (4 * nibble) & 15 | (high[j] >> (2 * pair) & 3) << 4;
                values[j] = scale * (i32::from(q) - 32) as f32;
            }
        }
    }
}

/// The 6-bit scale and minimum of group `group` (0 to 7), as floats.
#[inline(always)]
fn scale_and_min(scales: &ScalesAndMins, group: usize) -> (f32, f32) {
    let (scale, min) = if group < 4 {
        (scales[group] & 63, scales[group + 4] & 63)
    } else {
        let low = scales[group + 4];
        (low & 15 | (scales[group - 4] >> 6) << 4, low >> 4 | (scales[group] >> 6) << 4)
    };
    (f32::from(scale), f32::from(min))
}
