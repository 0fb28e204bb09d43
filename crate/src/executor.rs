//! The interface of executors, which run a plan on the CPU or on a GPU.

use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::instruments::Instruments;
use crate::model::{Network, Rows, State, Weight, Weights};
use crate::sampler::Sampler;

/// How matrix products see their input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activations {
    /// As it is: exact.
    F32,
    /// Rounded to 8 bits and multiplied in integers; each 16 values have a scale of their own on a GPU, each 32 on the CPU.
    Q8,
}

/// Bytes that a model needs to run, before anything is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The tensors as the file has them; a GPU pads rows by a few bytes, Q3_K by a fiftieth.
    pub weights: u64,
    /// The states.
    pub state: u64,
    /// Activations of one chunk.
    pub scratch: u64,
}

impl Memory {
    /// What a model needs for chunks of `tokens`, logits of `outputs` tokens, and `states` states.
    pub fn needed(network: &Network, weights: &Weights, tokens: usize, outputs: usize, states: usize) -> Self {
        let rows = |rows| match rows {
            Rows::Tokens => tokens,
            Rows::Outputs => outputs,
        };
        let floats: usize = network.plan.buffers.iter().map(|b| rows(b.rows) * b.width).sum();
        Self {
            weights: weights.all().iter().map(Weight::bytes).sum(),
            state: (states * network.state_bytes()) as u64,
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

/// Where a model runs, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// `webgpu` or `cpu`; natively the GPU's API, such as `vulkan`.
    pub kind: &'static str,
    /// The adapter's name as the system gives it, or `CPU`.
    pub adapter: String,
    /// How matrix products see their input.
    pub activations: Activations,
    /// Bytes of weights, state and scratch that the executor holds.
    pub memory_bytes: u64,
}

/// Runs a model's plan and owns its weights, its scratch buffers, and the states of one or more sequences of tokens.
pub trait Executor {
    /// The network that it runs.
    fn network(&self) -> &Network;

    /// Number of tokens in the vocabulary.
    fn vocab_size(&self) -> usize {
        self.network().vocab_size
    }

    /// The most tokens that one call of [`Executor::forward`] takes now, at least 32. It may grow or shrink as the executor
    /// learns how long a chunk takes here.
    fn max_tokens(&self) -> usize;

    /// The most tokens whose logits one call gives.
    fn max_outputs(&self) -> usize;

    /// Where it runs.
    fn backend(&self) -> Backend;

    /// Measurements of its device, where it has any.
    fn instruments(&self) -> Option<&dyn Instruments> {
        None
    }

    /// Reads `tokens` (at least one, at most [`Executor::max_tokens`]) into a sequence, leaving its state after the last one.
    /// Returns the logits of `outputs`, (outputs, vocab_size), in order.
    ///
    /// # Errors
    /// [`crate::Error::TokenRange`] for an id outside the vocabulary, before anything runs; [`crate::Error::Gpu`] where the
    /// device fails, and then the states are undefined until they are written.
    fn forward<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        outputs: Outputs,
    ) -> LocalBoxFuture<'a, Result<Vec<f32>>>;

    /// Reads `tokens` into a sequence, as [`Executor::forward`] does; returns the hidden state of each, (tokens, d_model): what the last
    /// norm gives, and the head would multiply.
    ///
    /// # Errors
    /// As of [`Executor::forward`].
    fn hidden<'a>(&'a mut self, sequence: usize, tokens: &'a [u32]) -> LocalBoxFuture<'a, Result<Vec<f32>>>;

    /// Reads one token into each of some sequences, with one pass over the weights; returns their logits,
    /// (tokens, vocab_size). At most [`MAX_SEQUENCES`], no sequence twice.
    ///
    /// # Errors
    /// As of [`Executor::forward`].
    fn decode_batch<'a>(&'a mut self, tokens: &'a [(usize, u32)]) -> LocalBoxFuture<'a, Result<Vec<f32>>>;

    /// Reads `tokens` into a sequence, as [`Executor::forward`] does, and samples the one after them, as
    /// [`Sampler::sample`] does, among the tokens that the sampler allows. An executor may sample on its device and run ahead; only
    /// the time shows that, because every other call finds the state after `tokens`.
    ///
    /// # Errors
    /// As of [`Executor::forward`], and [`crate::Error::NotFinite`]: the tokens are read then.
    fn sample<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        sampler: &'a mut Sampler,
    ) -> LocalBoxFuture<'a, Result<u32>> {
        Box::pin(async move {
            let mut logits = self.forward(sequence, tokens, Outputs::Last).await?;
            sampler.sample(&mut logits)
        })
    }

    /// Reads one token into each of some sequences, as [`Executor::decode_batch`] does, and samples the one after each with
    /// the sampler at the same index. With the sequences of the call before, the samplers are those of that call, which have
    /// accepted the tokens that it returned.
    ///
    /// # Errors
    /// As of [`Executor::sample`], for any of the sequences.
    fn sample_batch<'a>(
        &'a mut self,
        tokens: &'a [(usize, u32)],
        samplers: &'a mut [&'a mut Sampler],
    ) -> LocalBoxFuture<'a, Result<Vec<u32>>> {
        Box::pin(async move {
            let vocab_size = self.vocab_size();
            let mut logits = self.decode_batch(tokens).await?;
            let rows = logits.chunks_exact_mut(vocab_size).zip(samplers);
            rows.map(|(row, sampler)| sampler.sample(row)).collect()
        })
    }

    /// The number of sequences: one until [`Executor::set_sequences`].
    fn sequences(&self) -> usize;

    /// Allocates the states of `count` sequences, 1 to [`MAX_SEQUENCES`]. All are reset.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where there is no room, [`crate::Error::Gpu`] where the device fails.
    fn set_sequences(&mut self, count: usize) -> LocalBoxFuture<'_, Result<()>>;

    /// Resets a sequence to the state before its first token.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    fn reset(&mut self, sequence: usize) -> Result<()>;

    /// The state of a sequence, as a value.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    fn read_state(&mut self, sequence: usize) -> LocalBoxFuture<'_, Result<State>>;

    /// Sets the state of a sequence.
    ///
    /// # Errors
    /// [`crate::Error::StateShape`] for a state of another model.
    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()>;
}

/// The most sequences that an executor holds at once.
pub const MAX_SEQUENCES: usize = 32;

/// Checks the tokens of [`Executor::forward`].
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
