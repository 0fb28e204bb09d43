//! What runs a plan: one interface, a CPU and a GPU behind it.

use futures_util::future::LocalBoxFuture;

use crate::error::Result;
use crate::model::{Config, State, Weights, record};

/// Tokens of one chunk of a prefill. Enough that decoding a weight is shared; few enough that a stop is noticed soon, and
/// that one submission stays far below a slow GPU's watchdog.
pub const MAX_TOKENS: usize = 32;

/// Bytes that a model needs to run, before anything is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The tensors as the file has them; a GPU pads rows by a few bytes, Q3_K by a fiftieth.
    pub weights: u64,
    /// The state.
    pub state: u64,
    /// Activations of one chunk.
    pub scratch: u64,
}

impl Memory {
    /// What a model needs.
    pub fn needed(config: &Config, weights: &Weights) -> Self {
        let floats: usize = record(config, weights).buffers.iter().map(|b| MAX_TOKENS * b.width).sum();
        Self {
            weights: weights.all().iter().map(|w| w.tensor.bytes).sum(),
            state: config.state_bytes() as u64,
            scratch: 4 * floats as u64,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.state + self.scratch
    }
}

/// Which tokens' logits a forward pass computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// None: the pass only moves the state, and the head is skipped.
    None,
    /// The last token's.
    Last,
    /// Every token's.
    Each,
}

impl Outputs {
    /// How many of `tokens` have logits.
    pub fn count(self, tokens: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Last => tokens.min(1),
            Self::Each => tokens,
        }
    }
}

/// Where a model runs, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// `webgpu` or `cpu`; natively the GPU's API, such as `vulkan`.
    pub kind: &'static str,
    /// The adapter's name as the system gives it, or `CPU`.
    pub adapter: String,
    /// Bytes of weights, state and scratch that the executor holds.
    pub memory_bytes: u64,
}

/// Runs a model's plan and owns its weights, its state and its scratch buffers.
pub trait Executor {
    /// The model's sizes.
    fn config(&self) -> &Config;

    /// Number of tokens in the vocabulary.
    fn vocab_size(&self) -> usize;

    /// The most tokens that one call of [`Executor::forward`] takes.
    fn max_tokens(&self) -> usize;

    /// Where it runs.
    fn backend(&self) -> Backend;

    /// Reads `tokens` (at least one, at most [`Executor::max_tokens`]), leaving the state after the last one.
    /// Gives the logits of the wanted tokens, (outputs, vocab_size), in order.
    ///
    /// # Errors
    /// [`crate::Error::TokenRange`] for an id outside the vocabulary, before anything runs; [`crate::Error::Gpu`] where the
    /// device fails, and then the state is undefined until [`Executor::write_state`].
    fn forward<'a>(&'a mut self, tokens: &'a [u32], outputs: Outputs) -> LocalBoxFuture<'a, Result<Vec<f32>>>;

    /// The state, as a value.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    fn read_state(&self) -> LocalBoxFuture<'_, Result<State>>;

    /// Goes back, or over, to a state.
    ///
    /// # Errors
    /// [`crate::Error::StateShape`] for a state of another model.
    fn write_state(&mut self, state: &State) -> Result<()>;
}

/// Checks what [`Executor::forward`] promises of its tokens.
pub(crate) fn check_tokens(tokens: &[u32], max_tokens: usize, vocab_size: usize) -> Result<()> {
    assert!(tokens.len() <= max_tokens, "forward takes at most {max_tokens} tokens, not {}", tokens.len());
    if tokens.is_empty() {
        return Err(crate::Error::EmptyPrompt);
    }
    match tokens.iter().find(|&&token| token as usize >= vocab_size) {
        Some(&token) => Err(crate::Error::TokenRange { token, vocab_size }),
        None => Ok(()),
    }
}
