//! Decode of the IQ4 types: 4-bit indices into a table of uneven steps.

use super::{Block, half_to_f32};
use crate::quant::blocks::{IQ4_NL, IQ4_VALUES, IQ4_XS, Nibbles32};

impl Block<32> for IQ4_NL {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 32]) {
        decode_group(half_to_f32(self.d), &self.qs, out);
    }
}

impl Block<256> for IQ4_XS {
    #[inline(always)]
    fn decode(&self, out: &mut [f32; 256]) {
        let d = half_to_f32(self.d);
        let scales_h = u16::from_le_bytes(self.scales_h);
        for (group, values) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let scale_low = self.scales_l[group / 2] >> (4 * (group % 2)) & 15;
            let scale_high = (scales_h >> (2 * group) & 3) as u8;
            let scale = d * (i32::from(scale_low | scale_high << 4) - 32) as f32;
            decode_group(scale, &self.qs[group], values);
        }
    }
}

#[inline(always)]
fn decode_group(scale: f32, qs: &Nibbles32, out: &mut [f32; 32]) {
    // Sixteen products at most differ in a group: scaling the table leaves one load a value.
    let steps = IQ4_VALUES.map(|step| scale * step);
    for j in 0..16 {
        out[j] = steps[usize::from(qs[j] & 15)];
        out[j + 16] = steps[usize::from(qs[j] >> 4)];
    }
}
