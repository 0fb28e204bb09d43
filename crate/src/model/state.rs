//! The state: all that the model remembers of what it has read, in a fixed number of floats.

use super::Config;
use crate::error::{Error, Result};

/// A model's whole memory, as a value that can be kept, copied and given back.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Tokens read so far.
    pub position: u64,
    /// Last inputs of each convolution, oldest first: (n_layers, d_inner, d_conv - 1).
    pub conv: Vec<f32>,
    /// SSM states: (n_layers, d_inner, d_state).
    pub ssm: Vec<f32>,
}

impl State {
    /// The state before the first token: all zero.
    pub fn new(config: &Config) -> Self {
        Self {
            position: 0,
            conv: vec![0.0; config.n_layers * config.conv_state_len()],
            ssm: vec![0.0; config.n_layers * config.ssm_state_len()],
        }
    }

    /// Whether every number is finite. What follows from a state with another one is no text.
    pub fn is_finite(&self) -> bool {
        let finite = |numbers: &[f32]| numbers.iter().fold(true, |all, x| all & x.is_finite());
        finite(&self.conv) && finite(&self.ssm)
    }

    /// Refuses a state of another shape.
    ///
    /// # Errors
    /// [`Error::StateShape`].
    pub fn check(&self, config: &Config) -> Result<()> {
        let expected = [config.n_layers * config.conv_state_len(), config.n_layers * config.ssm_state_len()];
        let found = [self.conv.len(), self.ssm.len()];
        if expected != found {
            return Err(Error::StateShape { expected: expected.iter().sum(), found: found.iter().sum() });
        }
        Ok(())
    }
}
