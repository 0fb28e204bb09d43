//! The state: all that the model remembers of what it has read, in a fixed number of floats.

use super::Network;
use crate::error::{Error, Result};

/// A model's state, as a value that can be kept, copied and restored.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Tokens read so far.
    pub position: u64,
    /// The values of each of [`Network::state`], row by row.
    pub tensors: Vec<Vec<f32>>,
}

impl State {
    /// The state before the first token: all zero.
    pub fn new(network: &Network) -> Self {
        Self { position: 0, tensors: network.state.iter().map(|tensor| vec![0.0; tensor.floats()]).collect() }
    }

    /// Floats in all.
    pub fn floats(&self) -> usize {
        self.tensors.iter().map(Vec::len).sum()
    }

    /// Whether every number is finite: a state with another one leads to no text.
    pub fn is_finite(&self) -> bool {
        self.tensors.iter().all(|tensor| tensor.iter().fold(true, |all, x| all & x.is_finite()))
    }

    /// Refuses a state of another shape.
    ///
    /// # Errors
    /// [`Error::StateShape`].
    pub fn check(&self, network: &Network) -> Result<()> {
        let expected = network.state.iter().map(super::StateSpec::floats);
        if !expected.clone().eq(self.tensors.iter().map(Vec::len)) {
            return Err(Error::StateShape { expected: expected.sum(), found: self.floats() });
        }
        Ok(())
    }
}
