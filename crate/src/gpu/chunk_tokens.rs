//! How many tokens a chunk of a prefill may have on this device.

use std::time::Duration;

/// So many that a chunk takes about [`ChunkTokens::TARGET`], short enough for a stop to be noticed. A chunk is several
/// submissions, so that none comes near a watchdog and a page's own frames get their turns.
#[derive(Debug)]
pub struct ChunkTokens(usize);

impl Default for ChunkTokens {
    fn default() -> Self {
        Self(64)
    }
}

impl ChunkTokens {
    /// The most tokens of a chunk.
    pub const MOST: usize = 512;
    const TARGET: Duration = Duration::from_millis(500);
    /// What [`crate::executor::Executor::max_tokens`] never goes below.
    const LEAST: usize = 32;

    /// So many, or the nearest that is allowed.
    pub fn of(tokens: usize) -> Self {
        Self(tokens.clamp(1, Self::MOST))
    }

    /// Tokens of the next chunk, at the most.
    pub fn get(&self) -> usize {
        self.0
    }

    /// Looks at how long a chunk took.
    pub fn learn(&mut self, tokens: usize, took: Duration) {
        let full = took.mul_f64(self.0 as f64 / tokens as f64);
        if full > 2 * Self::TARGET {
            self.0 = (self.0 / 2).max(Self::LEAST);
        } else if 2 * full < Self::TARGET && tokens == self.0 {
            let factor = if 8 * full < Self::TARGET { 4 } else { 2 };
            self.0 = (self.0 * factor).min(Self::MOST);
        }
    }
}
