//! The sampler's arithmetic, which a processor and a GPU do bit for bit alike; `gpu/shaders/sampling/arithmetic.wgsl` has
//! the same functions.
//!
//! WGSL knows no `f64`, its `exp` differs between devices, and a driver may flush subnormal numbers, assume that none is
//! infinite, or make one operation of a product and a sum. So floats meet only single additions, subtractions and products,
//! between which their bits are made [`clean`] as integers; a logit's distance below the highest then becomes a fixed-point
//! number, and the exponential is a polynomial over integers. Sums of integers do not depend on their order.

/// The largest magnitude of a clean number: that of no sum or difference of two is infinite.
const LARGEST: u32 = 253 << 23;
/// Below this magnitude, 2^-125, a clean number is 0. It is one power above the subnormal numbers, so that it does not
/// matter whether a device flushes before or after it rounds.
const SMALLEST: u32 = 2 << 23;
const INFINITY: u32 = 255 << 23;
const SIGN: u32 = 1 << 31;

/// Makes floats totally ordered, as bits: a NaN becomes the lowest number, an infinity the largest or lowest, and there is one
/// zero.
pub fn clean(bits: u32) -> u32 {
    let magnitude = bits & !SIGN;
    if magnitude > INFINITY {
        SIGN | LARGEST
    } else if magnitude < SMALLEST {
        0
    } else {
        bits & SIGN | magnitude.min(LARGEST)
    }
}

/// [`clean`] for numbers.
pub fn cleaned(value: f32) -> f32 {
    f32::from_bits(clean(value.to_bits()))
}

/// What penalties do to the logit of a recent token. The numbers are clean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    pub repetition: f32,
    /// Of `repetition`: a division is not rounded alike everywhere.
    pub reciprocal: f32,
    pub frequency: f32,
    pub presence: f32,
}

impl Penalties {
    /// The logit of a token that occurred `times` times.
    ///
    /// As in llama.cpp (`llama_sampler_penalties_apply`), after Keskar et al., "CTRL" (2019), and OpenAI's interface.
    pub fn apply(&self, logit: f32, times: u32) -> f32 {
        let logit = cleaned(logit);
        // Dividing a negative logit would make its token likelier.
        let scaled = cleaned(logit * if logit > 0.0 { self.reciprocal } else { self.repetition });
        let amount = cleaned(cleaned(times as f32 * self.frequency) + self.presence);
        cleaned(scaled - amount)
    }
}

/// A half of the weight, as a distance: distances count 2^-25 of the way from a weight to its half.
const HALVING: f64 = (1u32 << 25) as f64;
/// Distances end about here, 32 halvings down, where no weight is left.
const FARTHEST: f64 = (1u32 << 30) as f64;
/// The weight at no distance.
pub const HEAVIEST: u32 = 1 << 31;

/// Turns differences of logits into distances, at one temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Distance of a difference of 1.
    pub factor: f32,
    /// The difference of the farthest distance.
    pub limit: f32,
}

impl Scale {
    /// For logits that are divided by a temperature.
    pub fn new(temperature: f32) -> Self {
        // Below 2^-90 the factor would exceed an f32. No two logits differ by so little that it mattered.
        let temperature = f64::from(temperature).max(2f64.powi(-90));
        let factor = (HALVING / (temperature * std::f64::consts::LN_2)) as f32;
        let limit = (FARTHEST / f64::from(factor)).min(f64::from(f32::MAX)) as f32;
        Self { factor, limit }
    }

    /// How far a logit is below the highest; both clean. It never falls where the logit falls.
    pub fn distance(&self, highest: f32, logit: f32) -> u32 {
        ((highest - logit).min(self.limit) * self.factor) as u32
    }
}

/// Of the polynomial for 2^-f, in parts of 2^-31 with the signs taken out. It interpolates 2^-f at both ends of [0, 1] and
/// at four Chebyshev nodes between, and is within 1.4e-7 of it everywhere, rounding included.
const COEFFICIENTS: [u32; 6] = [HEAVIEST, 1_488_515_590, 515_789_246, 118_765_909, 19_784_458, 2_034_029];

/// `2^(31 - distance / 2^25)`, rounded down; 0 beyond the farthest distance.
pub fn weight(distance: u32) -> u32 {
    let (halvings, rest) = (distance >> 25, distance & ((1 << 25) - 1));
    let [c0, c1, c2, c3, c4, c5] = COEFFICIENTS;
    // Horner's rule for the upper 16 bits of the fraction.
    let f = rest >> 9;
    let up_to_here = |c: u32, rest: u32| c - times_fraction(rest, f);
    let power = up_to_here(c0, up_to_here(c1, up_to_here(c2, up_to_here(c3, up_to_here(c4, c5)))));
    // For the lower 9 the first term is enough: 1 - f ln 2, of which 45,426 are 2^-16.
    let low = ((rest & 511) * 45_426 + (1 << 15)) >> 16;
    let power = power - (((power >> 15) * low) >> 10);
    if halvings > 31 { 0 } else { power >> halvings }
}

/// `a * f / 2^16`, rounded down, for `f < 2^16`.
fn times_fraction(a: u32, f: u32) -> u32 {
    ((u64::from(a) * u64::from(f)) >> 16) as u32
}

/// `sum * fraction / 2^32`, rounded down, and whether that was exact. `sum` is of 2^20 weights at the most.
pub fn part(sum: u64, fraction: u32) -> (u64, bool) {
    let product = u128::from(sum) * u128::from(fraction);
    ((product >> 32) as u64, product as u32 == 0)
}
