//! An executor over a model that several ranks share: rank 0 is here, and the other ranks execute its commands elsewhere.

use std::fmt;

use futures_util::future::LocalBoxFuture;

use super::CpuExecutor;
use super::rank::{Communicator, Rank, capacity};
use super::vectorised::matmul::MAX_TOKENS;
use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, Outputs, check_tokens};
use crate::model::{ModelFile, Network, Slice, State, Weights};

/// A command of rank 0, the same for every other rank.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// [`Rank::forward`].
    Forward {
        /// The sequence.
        sequence: usize,
        /// The tokens whose logits are computed.
        outputs: Outputs,
        /// The tokens of the chunk.
        tokens: Vec<u32>,
    },
    /// [`Rank::decode_batch`]: sequences, and a token of each.
    DecodeBatch(Vec<usize>, Vec<u32>),
    /// [`Executor::set_sequences`].
    SetSequences(usize),
    /// [`Executor::reset`].
    Reset(usize),
    /// [`Rank::read_state`].
    ReadState(usize),
    /// [`Executor::write_state`], with the state of the rank's own channels.
    WriteState(usize, State),
}

impl Command {
    /// As words, which any transport can carry.
    pub fn to_words(&self) -> Vec<u32> {
        match self {
            Self::Forward { sequence, outputs, tokens } => {
                let outputs = match outputs {
                    Outputs::None => 0,
                    Outputs::Last => 1,
                    Outputs::Each => 2,
                };
                [&[0, *sequence as u32, outputs], tokens.as_slice()].concat()
            }
            Self::DecodeBatch(sequences, tokens) => {
                let sequences = sequences.iter().map(|&sequence| sequence as u32);
                std::iter::once(5).chain(sequences).chain(tokens.iter().copied()).collect()
            }
            Self::SetSequences(count) => vec![1, *count as u32],
            Self::Reset(sequence) => vec![2, *sequence as u32],
            Self::ReadState(sequence) => vec![3, *sequence as u32],
            Self::WriteState(sequence, State { position, tensors }) => {
                let head = [4, *sequence as u32, *position as u32, (*position >> 32) as u32, tensors.len() as u32];
                let lengths = tensors.iter().map(|values| values.len() as u32);
                let values = tensors.iter().flatten().map(|value| value.to_bits());
                head.into_iter().chain(lengths).chain(values).collect()
            }
        }
    }

    /// The inverse of [`Command::to_words`]; `None` for words of no command.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        Some(match words {
            [0, sequence, outputs, tokens @ ..] => {
                let outputs = match outputs {
                    0 => Outputs::None,
                    1 => Outputs::Last,
                    2 => Outputs::Each,
                    _ => return None,
                };
                Self::Forward { sequence: *sequence as usize, outputs, tokens: tokens.to_vec() }
            }
            [1, count] => Self::SetSequences(*count as usize),
            [2, sequence] => Self::Reset(*sequence as usize),
            [3, sequence] => Self::ReadState(*sequence as usize),
            [4, sequence, low, high, count, rest @ ..] => {
                let (lengths, mut values) = rest.split_at_checked(*count as usize)?;
                let mut tensor = |&length: &u32| {
                    let (tensor, rest) = values.split_at_checked(length as usize)?;
                    values = rest;
                    Some(tensor.iter().map(|&word| f32::from_bits(word)).collect())
                };
                let tensors = lengths.iter().map(&mut tensor).collect::<Option<_>>()?;
                let position = u64::from(*low) | u64::from(*high) << 32;
                if !values.is_empty() {
                    return None;
                }
                Self::WriteState(*sequence as usize, State { position, tensors })
            }
            [5, both @ ..] if !both.is_empty() && both.len().is_multiple_of(2) => {
                let (sequences, tokens) = both.split_at(both.len() / 2);
                Self::DecodeBatch(sequences.iter().map(|&sequence| sequence as usize).collect(), tokens.to_vec())
            }
            _ => return None,
        })
    }
}

impl Rank {
    /// Executes a command of rank 0.
    ///
    /// # Errors
    /// As of [`Communicator::gather`], and of what is called.
    pub async fn execute(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Forward { sequence, outputs, tokens } => {
                self.forward(sequence, &tokens, outputs).await?;
            }
            Command::DecodeBatch(sequences, tokens) => {
                self.decode_batch(&sequences, &tokens).await?;
            }
            Command::SetSequences(count) => self.executor().set_sequences(count).await?,
            Command::Reset(sequence) => self.executor().reset(sequence)?,
            Command::ReadState(sequence) => {
                self.read_state(sequence).await?;
            }
            Command::WriteState(sequence, state) => self.executor().write_state(sequence, &state)?,
        }
        Ok(())
    }
}

/// The ranks after the first. Dropping this ends them.
pub trait RemoteRanks {
    /// Resolves when each has its slice.
    ///
    /// # Errors
    /// The failure of a rank, as [`Error::Worker`].
    fn loaded(&mut self) -> LocalBoxFuture<'_, Result<()>>;

    /// Sends rank `rank` a command without waiting for it. Commands are executed in order.
    ///
    /// # Errors
    /// [`Error::Worker`] where it is known to be gone.
    fn command(&mut self, rank: usize, command: &Command) -> Result<()>;
}

/// What each rank loads, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankConfig {
    /// The number of ranks, rank 0 included.
    pub ranks: usize,
    /// The most floats that a rank contributes to one collective operation.
    pub capacity: usize,
    /// How products see their input.
    pub activations: Activations,
    /// Whether to load the small model of a trial in place of the real one.
    pub trial: bool,
}

/// The communicator of rank 0, and the other ranks, which have begun to load.
pub type Started = (Box<dyn Communicator>, Box<dyn RemoteRanks>);

/// Starts the workers that run the other ranks.
pub trait WorkerPool: fmt::Debug {
    /// The most ranks that run in parallel here, rank 0 included.
    fn max_ranks(&self) -> usize;

    /// The number of ranks that was requested; with `None` a trial determines it.
    fn requested_ranks(&self) -> Option<usize>;

    /// Starts the other ranks, which begin to load, and returns rank 0.s communicator.
    ///
    /// # Errors
    /// [`Error::Worker`] where one does not start.
    fn start(&self, config: RankConfig) -> LocalBoxFuture<'_, Result<Started>>;
}

/// A model on the CPU, shared by several ranks.
pub struct TensorParallelExecutor {
    network: Network,
    slices: Vec<Slice>,
    first: Rank,
    remote: Box<dyn RemoteRanks>,
    /// The first error: ranks that are out of step stay so, and every later call returns it.
    broken: Option<Error>,
}

impl TensorParallelExecutor {
    /// Loads a slice into each of `ranks` ranks. `progress` is called with the bytes that all ranks have read, estimated from rank 0's share.
    ///
    /// # Errors
    /// As of [`CpuExecutor::load`], and [`Error::Worker`].
    ///
    /// # Panics
    /// Where there are more ranks than [`Slice::max_ranks`].
    pub async fn load(
        file: &ModelFile,
        activations: Activations,
        (pool, ranks, trial): (&dyn WorkerPool, usize, bool),
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let slices = Slice::all(file, ranks);
        let config = RankConfig { ranks, capacity: capacity(&slices), activations, trial };
        let (communicator, mut remote) = pool.start(config).await?;
        let bytes = |weights: &Weights| weights.all().iter().map(crate::model::Weight::bytes).sum::<u64>();
        let (total, share) = (bytes(&file.weights), bytes(&slices[0].weights).max(1));
        let (mut read, mut reported) = (0, 0);
        let mut scaled = |more: u64| {
            read += more;
            let done = (u128::from(read) * u128::from(total) / u128::from(share)) as u64;
            progress(done - reported);
            reported = done;
        };
        let first = Rank::load(&file.gguf, &slices, 0, activations, communicator, &mut scaled).await?;
        remote.loaded().await?;
        Ok(Self { network: file.network.clone(), slices, first, remote, broken: None })
    }

    fn broadcast(&mut self, command: &Command) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let sent = (1..self.slices.len()).try_for_each(|rank| self.remote.command(rank, command));
        self.keep(sent)
    }

    /// Keeps the first error.
    fn keep<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.broken = Some(error.clone());
        }
        result
    }

    async fn run(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, MAX_TOKENS, self.network.vocab_size)?;
        self.broadcast(&Command::Forward { sequence, outputs, tokens: tokens.to_vec() })?;
        let logits = self.first.forward(sequence, tokens, outputs).await;
        self.keep(logits)
    }
}

impl Executor for TensorParallelExecutor {
    fn network(&self) -> &Network {
        &self.network
    }

    fn max_tokens(&self) -> usize {
        MAX_TOKENS
    }

    fn max_outputs(&self) -> usize {
        MAX_TOKENS
    }

    fn backend(&self) -> Backend {
        let needed = |slice: &Slice| CpuExecutor::memory_needed(&slice.network, &slice.weights).total();
        let rest: u64 = self.slices[1..].iter().map(needed).sum();
        let first = self.first.backend();
        let adapter = format!("{}, {} workers", first.adapter, self.slices.len());
        Backend { adapter, memory_bytes: first.memory_bytes + rest, ..first }
    }

    fn forward<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        outputs: Outputs,
    ) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(self.run(sequence, tokens, outputs))
    }

    fn hidden<'a>(&'a mut self, sequence: usize, tokens: &'a [u32]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move {
            check_tokens(tokens, MAX_TOKENS, self.network.vocab_size)?;
            self.broadcast(&Command::Forward { sequence, outputs: Outputs::None, tokens: tokens.to_vec() })?;
            let hidden = self.first.hidden(sequence, tokens).await;
            self.keep(hidden)
        })
    }

    fn decode_batch<'a>(&'a mut self, tokens: &'a [(usize, u32)]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        let (sequences, tokens): (Vec<_>, Vec<_>) = tokens.iter().copied().unzip();
        Box::pin(async move {
            check_tokens(&tokens, MAX_TOKENS, self.network.vocab_size)?;
            self.broadcast(&Command::DecodeBatch(sequences.clone(), tokens.clone()))?;
            let logits = self.first.decode_batch(&sequences, &tokens).await;
            self.keep(logits)
        })
    }

    fn sequences(&self) -> usize {
        self.first.sequences()
    }

    fn set_sequences(&mut self, count: usize) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.broadcast(&Command::SetSequences(count))?;
            self.first.executor().set_sequences(count).await
        })
    }

    fn reset(&mut self, sequence: usize) -> Result<()> {
        self.broadcast(&Command::Reset(sequence))?;
        self.first.executor().reset(sequence)
    }

    fn read_state(&mut self, sequence: usize) -> LocalBoxFuture<'_, Result<State>> {
        Box::pin(async move {
            self.broadcast(&Command::ReadState(sequence))?;
            let state = self.first.read_state(sequence).await;
            self.keep(state)
        })
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(&self.network)?;
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        for rank in 1..self.slices.len() {
            let slice = self.slices[rank].slice_of_state(&self.network, state);
            let sent = self.remote.command(rank, &Command::WriteState(sequence, slice));
            self.keep(sent)?;
        }
        let slice = self.slices[0].slice_of_state(&self.network, state);
        self.first.executor().write_state(sequence, &slice)
    }
}
