//! One rank of a tensor-parallel model: the CPU executor over a slice of the model, and the collective operations in between.
//!
//! Every rank runs the same steps over its own channels. Where a step gives a partial sum, every rank gathers the sums of all and adds
//! them in the order of the ranks, so that all hold the same residual stream, bit for bit. Compared with one executor over the whole
//! model only the order of those additions differs.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::CpuExecutor;
use super::chunk::Chunk;
use super::executor::Batch;
use super::vectorised::matmul::MAX_TOKENS;
use crate::error::Result;
use crate::executor::{Activations, Backend, Executor, Outputs};
use crate::gguf::Gguf;
use crate::model::{Op, Plan, Slice, State, StateSpec, Step};

/// A collective operation, by the ranks that get its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collective {
    /// Every rank gets what all contributed.
    AllGather,
    /// Rank 0 gets what all contributed; the others only wait.
    Gather,
}

/// Runs collective operations between the ranks, over shared memory or messages.
pub trait Communicator {
    /// Contributes `mine`. Where this rank gets the result, writes the contributions of all ranks to `gathered`, in the order of the
    /// ranks: `lengths[r]` floats of rank r. Every rank makes the same calls in the same order.
    ///
    /// # Errors
    /// [`crate::Error::Worker`] where a rank no longer responds.
    fn gather<'a>(
        &'a mut self,
        collective: Collective,
        mine: &'a [f32],
        lengths: &'a [usize],
        gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>>;
}

/// A slice of a model, ready to run.
pub struct Rank {
    slice: Slice,
    /// Of every rank, by rank.
    extents: Vec<RankExtent>,
    executor: CpuExecutor,
    communicator: Box<dyn Communicator>,
    gathered: Vec<f32>,
}

/// The sizes of a rank's contributions.
#[derive(Debug, Clone)]
struct RankExtent {
    /// Columns of its logits.
    tokens: usize,
    /// Floats of each of its state tensors.
    state: Vec<usize>,
}

/// The most floats that one of these ranks contributes to a collective operation.
pub fn capacity(slices: &[Slice]) -> usize {
    let of = |slice: &Slice| {
        let exchanged = |step: &&Step| slice.is_partial(step) || step.output() == slice.network.plan.logits;
        let widths =
            slice.network.plan.steps().filter(exchanged).map(|step| slice.network.plan.buffer(step.output()).width);
        let state = slice.network.state.iter().map(StateSpec::floats);
        (MAX_TOKENS * widths.max().unwrap_or(0)).max(state.max().unwrap_or(0))
    };
    slices.iter().map(of).max().unwrap_or(0)
}

impl Rank {
    /// Reads a rank's slice, of `slices`. `progress` is called with each number of bytes read.
    ///
    /// # Errors
    /// As of [`CpuExecutor::load`].
    pub async fn load(
        gguf: &Gguf,
        slices: &[Slice],
        rank: usize,
        activations: Activations,
        communicator: Box<dyn Communicator>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let slice = slices[rank].clone();
        let load = CpuExecutor::load_slice(gguf, &slice.network, &slice.weights, activations, progress);
        let executor = load.await?;
        let extent = |slice: &Slice| RankExtent {
            tokens: slice.network.vocab_size,
            state: slice.network.state.iter().map(StateSpec::floats).collect(),
        };
        let extents = slices.iter().map(extent).collect();
        Ok(Self { slice, extents, executor, communicator, gathered: Vec::new() })
    }

    /// The slice of the model that it runs.
    pub fn slice(&self) -> &Slice {
        &self.slice
    }

    /// The executor over its own channels.
    pub fn executor(&mut self) -> &mut CpuExecutor {
        &mut self.executor
    }

    /// The backend of its executor.
    pub fn backend(&self) -> Backend {
        self.executor.backend()
    }

    /// Sequences that have a state.
    pub fn sequences(&self) -> usize {
        self.executor.sequences()
    }

    /// Its part of [`Executor::forward`]. Rank 0 gets the logits of all ranks, the others nothing.
    ///
    /// # Errors
    /// As of [`Communicator::gather`].
    pub async fn forward(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        self.run(&Batch::chunk(sequence, tokens, outputs)).await
    }

    /// Its part of [`Executor::decode_batch`], in the same way.
    ///
    /// # Errors
    /// As of [`Communicator::gather`].
    pub async fn decode_batch(&mut self, sequences: &[usize], tokens: &[u32]) -> Result<Vec<f32>> {
        self.run(&Batch::each(sequences, tokens)).await
    }

    /// [`Executor::hidden`], while the other ranks run the layers: every rank has the whole residual stream.
    ///
    /// # Errors
    /// As of [`Communicator::gather`].
    pub async fn hidden(&mut self, sequence: usize, tokens: &[u32]) -> Result<Vec<f32>> {
        let batch = Batch::chunk(sequence, tokens, Outputs::Each);
        self.run_layers(&batch).await?;
        Ok(self.executor.hidden_of(&batch))
    }

    async fn run_layers(&mut self, batch: &Batch<'_>) -> Result<()> {
        let network = Rc::clone(&self.executor.network);
        for step in &network.plan.layers {
            self.run_step(&network.plan, step, batch).await?;
        }
        self.executor.advance(batch);
        Ok(())
    }

    async fn run(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        self.run_layers(batch).await?;
        let network = Rc::clone(&self.executor.network);
        let plan = &network.plan;
        if batch.outputs == 0 {
            return Ok(Vec::new());
        }
        for step in &plan.head {
            self.run_step(plan, step, batch).await?;
        }
        self.gather_logits(plan, batch.outputs).await
    }

    async fn run_step(&mut self, plan: &Plan, step: &Step, batch: &Batch<'_>) -> Result<()> {
        let width = plan.buffer(step.output()).width;
        let rows = Chunk::rows(plan, step, batch.tokens.len(), batch.outputs);
        if !self.slice.is_partial(step) {
            self.executor.run_step_of(step, batch);
            return Ok(());
        }
        // The partial sums are added up without the residual stream, which every rank has already.
        let (sum, residual) = match step.op {
            Op::MatMul { accumulate: true } => {
                let residual = self.executor.buffers[step.output().0][..rows * width].to_vec();
                (&Step { op: Op::MatMul { accumulate: false }, ..step.clone() }, Some(residual))
            }
            _ => (step, None),
        };
        self.executor.run_step_of(sum, batch);
        let mut sums = std::mem::take(&mut self.executor.buffers[step.output().0]);
        let reduced = self.all_reduce(&mut sums[..rows * width]).await;
        if let Some(residual) = residual {
            sums.iter_mut().zip(residual).for_each(|(sum, x)| *sum += x);
        }
        self.executor.buffers[step.output().0] = sums;
        reduced
    }

    /// Replaces partial sums by their sum over the ranks, in the order of the ranks.
    async fn all_reduce(&mut self, values: &mut [f32]) -> Result<()> {
        let (ranks, length) = (self.extents.len(), values.len());
        self.gather(Collective::AllGather, values, &vec![length; ranks]).await?;
        values.copy_from_slice(&self.gathered[..length]);
        for theirs in self.gathered[length..].chunks_exact(length) {
            values.iter_mut().zip(theirs).for_each(|(sum, v)| *sum += v);
        }
        Ok(())
    }

    async fn gather(&mut self, collective: Collective, mine: &[f32], lengths: &[usize]) -> Result<()> {
        self.gathered.resize(lengths.iter().sum(), 0.0);
        self.communicator.gather(collective, mine, lengths, &mut self.gathered).await
    }

    async fn gather_to_first(&mut self, mine: &[f32], length: impl Fn(&RankExtent) -> usize) -> Result<()> {
        let lengths: Vec<_> = match self.slice.rank {
            0 => self.extents.iter().map(length).collect(),
            _ => Vec::new(),
        };
        self.gather(Collective::Gather, mine, &lengths).await
    }

    async fn gather_logits(&mut self, plan: &Plan, count: usize) -> Result<Vec<f32>> {
        let mine = std::mem::take(&mut self.executor.buffers[plan.logits.0]);
        let gathered = self.gather_to_first(&mine[..count * self.slice.network.vocab_size], |e| count * e.tokens).await;
        self.executor.buffers[plan.logits.0] = mine;
        gathered?;
        if self.slice.rank > 0 {
            return Ok(Vec::new());
        }
        let mut logits = Vec::with_capacity(self.gathered.len());
        for row in 0..count {
            let mut start = 0;
            for RankExtent { tokens, .. } in &self.extents {
                logits.extend_from_slice(&self.gathered[start + row * tokens..][..*tokens]);
                start += count * tokens;
            }
        }
        Ok(logits)
    }

    /// Its part of [`Executor::read_state`]: rank 0 gets the state of all channels; what the others get is unspecified.
    ///
    /// # Errors
    /// As of [`Communicator::gather`].
    pub async fn read_state(&mut self, sequence: usize) -> Result<State> {
        let mine = self.executor.read_state(sequence).await?;
        let mut whole = State { position: mine.position, tensors: Vec::new() };
        for (i, values) in mine.tensors.into_iter().enumerate() {
            if self.slice.network.state[i].axis.is_none() {
                whole.tensors.push(values);
                continue;
            }
            // A row's floats lie together, so the contributions one after the other are the tensor.
            self.gather_to_first(&values, |extent| extent.state[i]).await?;
            whole.tensors.push(self.gathered.clone());
        }
        Ok(whole)
    }
}

/// The communicator of a single rank.
#[derive(Debug)]
pub struct SingleRank;

impl Communicator for SingleRank {
    fn gather<'a>(
        &'a mut self,
        _: Collective,
        mine: &'a [f32],
        _: &'a [usize],
        gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>> {
        gathered.copy_from_slice(mine);
        Box::pin(std::future::ready(Ok(())))
    }
}
