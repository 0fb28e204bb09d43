//! The random number generator of the sampler.

/// PCG32 (XSH RR 64/32): M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
/// Random Number Generation", 2014; code after `pcg_basic.c` (<https://www.pcg-random.org>). Integers only, so it is
/// the same everywhere.
#[derive(Debug, Clone)]
pub(super) struct Pcg32 {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

/// The stream, 54 in the reference's own demonstration, made odd as `pcg32_srandom` does.
const INCREMENT: u64 = 54 << 1 | 1;

impl Pcg32 {
    /// `pcg32_srandom(seed, 54)`.
    pub fn new(seed: u64) -> Self {
        let mut random = Self { state: 0 };
        random.next();
        random.state = random.state.wrapping_add(seed);
        random.next();
        random
    }

    /// A generator that goes on from [`Pcg32::state`].
    pub fn resume(state: u64) -> Self {
        Self { state }
    }

    /// All that the next numbers depend on.
    pub fn state(&self) -> u64 {
        self.state
    }

    /// Uniform in 0 to 2^32 - 1.
    pub fn next(&mut self) -> u32 {
        let state = self.state;
        self.state = state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let xorshifted = (((state >> 18) ^ state) >> 27) as u32;
        xorshifted.rotate_right((state >> 59) as u32)
    }
}
