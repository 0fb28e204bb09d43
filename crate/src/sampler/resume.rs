//! A sampler as a value, with which an interrupted completion goes on exactly.

use serde::{Deserialize, Serialize};

use super::pcg32::Pcg32;
use super::{MAX_RECENT, Sampler, SamplerOptions};
use crate::error::{Error, Result};

/// All that a sampler's next choices depend on, beside the logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SamplerState {
    /// How it samples.
    pub options: SamplerOptions,
    /// Where its generator is.
    pub random: u64,
    /// The tokens that its penalties look at, oldest first.
    pub recent: Vec<u32>,
}

impl SamplerState {
    /// Checks that the options are in their ranges and the history is no longer than one can be.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn check(&self) -> Result<()> {
        self.options.validate()?;
        if self.recent.len() > MAX_RECENT {
            let (option, expected) = ("recent", "at most 65536 tokens");
            return Err(Error::InvalidOption { option, found: self.recent.len().to_string(), expected });
        }
        Ok(())
    }
}

impl Sampler {
    /// What [`Sampler::resume`] goes on from.
    pub fn state(&self) -> SamplerState {
        SamplerState {
            options: self.options.clone(),
            random: self.random.state(),
            recent: self.recent.iter().copied().collect(),
        }
    }

    /// A sampler that goes on exactly as the one would whose state this is.
    ///
    /// # Errors
    /// As of [`SamplerState::check`].
    pub fn resume(state: SamplerState) -> Result<Self> {
        state.check()?;
        let mut sampler = Self::new(state.options)?;
        sampler.random = Pcg32::resume(state.random);
        state.recent.into_iter().for_each(|token| sampler.accept(token));
        Ok(sampler)
    }
}
