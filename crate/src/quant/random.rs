//! Random rows of any type and of a wanted size, made as blocks: no float is quantised, so that gigabytes take seconds.

use bytemuck::Pod;
use half::{bf16, f16};

use super::{DType, blocks, decode_row};

/// SplitMix64 (G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators", 2014): integers only, so
/// it is the same everywhere.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Any seed is as good as another.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform from `low` to `high`, which is left out.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 40) as f32 / (1 << 24) as f32)
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        let mut words = bytes.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&self.bits().to_le_bytes());
        }
        let rest = words.into_remainder();
        let last = self.bits().to_le_bytes();
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// Makes rows of one type whose values lie around zero with one root mean square.
#[derive(Debug)]
pub struct RandomRows {
    dtype: DType,
    /// What a block's scale is on average; unused where values have no blocks.
    scale: f32,
    /// Evenly spread values in the bytes of the type, from which one is drawn at a time; empty where there are blocks.
    values: Vec<u8>,
}

/// Enough for a smooth distribution, few enough for a processor's first cache.
const DRAWN_VALUES: usize = 4096;

/// Blocks from which the size of values under a scale of 1 is estimated, to about one in a hundred.
const SAMPLE_BLOCKS: usize = 256;

impl RandomRows {
    /// Rows of this type and root mean square.
    pub fn new(dtype: DType, rms: f32) -> Self {
        if dtype.block_len() == 1 {
            // Uniform from -limit to limit.
            let limit = 3f32.sqrt() * rms;
            let step = 2.0 * limit / DRAWN_VALUES as f32;
            let values = (0..DRAWN_VALUES).map(|i| (i as f32 + 0.5) * step - limit);
            let values = match dtype {
                DType::F16 => values.flat_map(|v| f16::from_f32(v).to_le_bytes()).collect(),
                DType::BF16 => values.flat_map(|v| bf16::from_f32(v).to_le_bytes()).collect(),
                _ => values.flat_map(f32::to_le_bytes).collect(),
            };
            return Self { dtype, scale: 1.0, values };
        }
        let mut unit = Self { dtype, scale: 1.0, values: Vec::new() };
        let mut sample = vec![0; SAMPLE_BLOCKS * dtype.block_bytes()];
        let mut values = vec![0.0; SAMPLE_BLOCKS * dtype.block_len()];
        unit.fill(&mut SplitMix64::new(0), &mut sample);
        decode_row(dtype, &sample, &mut values);
        let mean_square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        unit.scale = rms / mean_square.sqrt();
        unit
    }

    /// Fills whole blocks.
    ///
    /// # Panics
    /// Where `bytes` are not whole blocks.
    pub fn fill(&self, random: &mut SplitMix64, bytes: &mut [u8]) {
        let block_bytes = self.dtype.block_bytes();
        assert!(
            bytes.len().is_multiple_of(block_bytes),
            "{} bytes are not whole blocks of {}",
            bytes.len(),
            self.dtype
        );
        match self.dtype {
            DType::F32 => self.draw::<4>(random, bytes),
            DType::F16 | DType::BF16 => self.draw::<2>(random, bytes),
            _ => {
                random.fill(bytes);
                for block in bytes.chunks_exact_mut(block_bytes) {
                    let size = random.between(0.75, 1.25) * self.scale;
                    let scale = Scale { size, negative: random.bits() & 1 == 1 };
                    if let Some(quants) = &self.dtype.row().quants {
                        (quants.set_scale)(block, scale);
                    }
                }
            }
        }
    }

    fn draw<const N: usize>(&self, random: &mut SplitMix64, bytes: &mut [u8]) {
        let (values, _) = self.values.as_chunks::<N>();
        for four in bytes.as_chunks_mut::<N>().0.chunks_mut(4) {
            let mut bits = random.bits();
            for value in four {
                *value = values[bits as usize % DRAWN_VALUES];
                bits >>= 16;
            }
        }
    }
}

/// The scale of a block to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Above zero.
    pub size: f32,
    /// Whether the block's scale is negative where real files have such, which evens out that -8 has no +8 beside it.
    pub negative: bool,
}

impl Scale {
    fn f16(self) -> f16 {
        f16::from_f32(self.size)
    }

    /// Of either sign.
    fn signed(self) -> [u8; 2] {
        if self.negative { -self.f16() } else { self.f16() }.to_le_bytes()
    }

    /// With a minimum of so many scales.
    fn with_minimum(self, factor: f32) -> [[u8; 2]; 2] {
        [self.f16(), f16::from_f32(factor * self.f16().to_f32())].map(f16::to_le_bytes)
    }
}

/// A block of random bits that is given a finite scale, and a minimum that puts its values around zero.
pub(super) trait Scaled: Pod {
    /// Sets both.
    fn set_scale(&mut self, scale: Scale);
}

/// The same of a block's bytes.
pub(super) fn set_scale_of<B: Scaled>(block: &mut [u8], scale: Scale) {
    bytemuck::from_bytes_mut::<B>(block).set_scale(scale);
}

macro_rules! without_minimum {
    ($($name:ident)*) => {
        $(impl Scaled for blocks::$name {
            fn set_scale(&mut self, scale: Scale) {
                self.d = scale.signed();
            }
        })*
    };
}

without_minimum!(Q4_0 Q5_0 Q8_0 Q3_K Q6_K IQ4_NL IQ4_XS);

// The minimum is the mean quant, for K types in each group: one number is its scale and its minimum.

impl Scaled for blocks::Q4_1 {
    fn set_scale(&mut self, scale: Scale) {
        [self.d, self.m] = scale.with_minimum(-7.5);
    }
}

impl Scaled for blocks::Q5_1 {
    fn set_scale(&mut self, scale: Scale) {
        [self.d, self.m] = scale.with_minimum(-15.5);
    }
}

impl Scaled for blocks::Q2_K {
    fn set_scale(&mut self, scale: Scale) {
        [self.d, self.dmin] = scale.with_minimum(1.5);
        self.scales = self.scales.map(same_nibbles);
    }
}

impl Scaled for blocks::Q4_K {
    fn set_scale(&mut self, scale: Scale) {
        [self.d, self.dmin] = scale.with_minimum(7.5);
        minimums_as_scales(&mut self.scales);
    }
}

impl Scaled for blocks::Q5_K {
    fn set_scale(&mut self, scale: Scale) {
        [self.d, self.dmin] = scale.with_minimum(15.5);
        minimums_as_scales(&mut self.scales);
    }
}

fn same_nibbles(byte: u8) -> u8 {
    (byte & 15) * 17
}

fn minimums_as_scales(scales: &mut blocks::ScalesAndMins) {
    scales.copy_within(0..4, 4);
    for byte in &mut scales[8..] {
        *byte = same_nibbles(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_type_have_the_wanted_size_around_zero() {
        for dtype in DType::all() {
            // The largest and the smallest that real shapes ask for: 3 / sqrt(256) and 1 / sqrt(8192).
            for rms in [0.2, 0.011] {
                let count = 512 * 256;
                let mut bytes = vec![0; count / dtype.block_len() * dtype.block_bytes()];
                let mut values = vec![0.0; count];
                RandomRows::new(dtype, rms).fill(&mut SplitMix64::new(1), &mut bytes);
                decode_row(dtype, &bytes, &mut values);
                let mean = values.iter().sum::<f32>() / count as f32;
                let found = (values.iter().map(|v| v * v).sum::<f32>() / count as f32).sqrt();
                assert!((found / rms - 1.0).abs() < 0.05, "{dtype}: {found}, not {rms}");
                assert!(mean.abs() < 0.03 * rms, "{dtype}: mean {mean}");
            }
        }
    }

    #[test]
    fn a_seed_gives_the_published_numbers() {
        // The first outputs for seed 0 of the reference implementation, <https://prng.di.unimi.it/splitmix64.c>.
        let mut random = SplitMix64::new(0);
        assert_eq!([random.bits(), random.bits()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}
