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
        // A short chunk is mostly the reading of the weights, whose time does not grow with the tokens.
        let full = if 2 * tokens < self.0 { took } else { took.mul_f64(self.0 as f64 / tokens as f64) };
        if full > 2 * Self::TARGET {
            self.0 = (self.0 / 2).max(Self::LEAST);
        } else if 2 * full < Self::TARGET && tokens == self.0 {
            let factor = if 8 * full < Self::TARGET { 4 } else { 2 };
            self.0 = (self.0 * factor).min(MAX_CHUNK_TOKENS);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ChunkTokens;
    use crate::gpu::resources::MAX_CHUNK_TOKENS;

    /// What a device takes that reads all weights in `weights` milliseconds and computes a token in `token`.
    fn learnt(weights: f64, token: f64, chunks: impl IntoIterator<Item = usize>) -> usize {
        let mut size = ChunkTokens::default();
        for chunk in chunks {
            let tokens = chunk.min(size.get());
            size.learn(tokens, Duration::from_secs_f64((weights + token * tokens as f64) / 1e3));
        }
        size.get()
    }

    #[test]
    fn chunks_grow_to_what_the_device_reads_in_half_a_second() {
        assert_eq!(learnt(3.0, 0.4, [512; 8]), MAX_CHUNK_TOKENS);
        assert_eq!(learnt(50.0, 20.0, [512; 8]), ChunkTokens::LEAST);
        assert!((64..=128).contains(&learnt(20.0, 4.0, [512; 8])));
    }

    /// Prompts of a token between long ones: of a batch, or of a conversation that is known but for its end.
    #[test]
    fn short_chunks_say_nothing_of_long_ones() {
        assert_eq!(learnt(20.0, 0.4, [512; 8].into_iter().chain([1; 40])), MAX_CHUNK_TOKENS);
        assert_eq!(learnt(3.0, 0.4, [512; 8].into_iter().chain([100; 40])), MAX_CHUNK_TOKENS);
        // One that is too long by itself does.
        assert!(learnt(1500.0, 0.4, [512; 8].into_iter().chain([1; 4])) < MAX_CHUNK_TOKENS);
    }
}
