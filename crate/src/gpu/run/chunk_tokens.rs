//! How many tokens a chunk of a prefill may have on this device.

use std::time::Duration;

use crate::gpu::resources::MAX_CHUNK_TOKENS;

/// A chunk takes about [`ChunkTokens::TARGET`], short enough for a stop to be noticed. A chunk is several
/// submissions, so that none comes near a watchdog and a page's own frames get their turns.
#[derive(Debug)]
pub struct ChunkTokens(usize);

impl Default for ChunkTokens {
    fn default() -> Self {
        Self(64)
    }
}

impl ChunkTokens {
    const TARGET: Duration = Duration::from_millis(500);
    /// What [`crate::executor::Executor::max_tokens`] never goes below.
    const LEAST: usize = 32;

    /// `tokens`, or the nearest number that is allowed.
    pub fn of(tokens: usize) -> Self {
        Self(tokens.clamp(1, MAX_CHUNK_TOKENS))
    }

    /// Tokens of the next chunk, at the most.
    pub fn get(&self) -> usize {
        self.0
    }

    /// Learns from the time that a chunk took.
    pub fn learn(&mut self, tokens: usize, took: Duration) {
        let full = took.mul_f64(self.0 as f64 / tokens as f64);
        if full > 2 * Self::TARGET {
            self.0 = (self.0 / 2).max(Self::LEAST);
        } else if 2 * full < Self::TARGET && tokens == self.0 {
            let factor = if 8 * full < Self::TARGET { 4 } else { 2 };
            self.0 = (self.0 * factor).min(MAX_CHUNK_TOKENS);
        }
    }
}
