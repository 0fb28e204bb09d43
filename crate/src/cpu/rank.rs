//! One rank of several that run a model together: the CPU executor over a slice of it, and the exchanges in between.
//!
//! Every rank runs the same steps over its own channels. Where a step gives a partial sum, the ranks gather what each has and add
//! it in the order of the ranks, so that all hold the same residual stream, bit for bit. Beside one executor over the whole model
//! only the order of those additions differs.

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

/// For whom something is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Every rank gets what all have.
    All,
    /// Rank 0 gets it; the others only wait.
    First,
}

/// What joins the ranks, over whatever memory or messages there are.
pub trait Link {
    /// Gives `mine`, and where it is gathered for this rank too, puts what each rank gave into `gathered`, in the order of the
    /// ranks: `lengths[r]` floats of rank r. Every rank calls it with what it has, in the same order of calls.
    ///
    /// # Errors
    /// [`crate::Error::Worker`] where a rank does not answer any more.
    fn gather<'a>(
        &'a mut self,
        whom: For,
        mine: &'a [f32],
        lengths: &'a [usize],
        gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>>;
}

/// A slice of a model, ready to run.
pub struct Rank {
    slice: Slice,
    /// Of every rank, for what is gathered.
    all: Vec<Extent>,
    executor: CpuExecutor,
    link: Box<dyn Link>,
    gathered: Vec<f32>,
}

/// How much of what a rank has.
#[derive(Debug, Clone)]
struct Extent {
    /// Columns of its logits.
    tokens: usize,
    /// Floats of each of its state tensors.
    state: Vec<usize>,
}

/// The most floats that a rank of these gives at once.
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
        link: Box<dyn Link>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let slice = slices[rank].clone();
        let load = CpuExecutor::load_part(gguf, &slice.network, &slice.weights, activations, progress);
        let executor = load.await?;
        let extent = |slice: &Slice| Extent {
            tokens: slice.network.vocab_size,
            state: slice.network.state.iter().map(StateSpec::floats).collect(),
        };
        let all = slices.iter().map(extent).collect();
        Ok(Self { slice, all, executor, link, gathered: Vec::new() })
    }

    /// What it is a rank of, and which.
    pub fn slice(&self) -> &Slice {
        &self.slice
    }

    /// The executor over its own channels.
    pub fn executor(&mut self) -> &mut CpuExecutor {
        &mut self.executor
    }

    /// Where its executor runs.
    pub fn backend(&self) -> Backend {
        self.executor.backend()
    }

    /// Sequences that have a state.
    pub fn sequences(&self) -> usize {
        self.executor.sequences()
    }

    /// Its part of [`Executor::forward`]. Rank 0 gets the logits of all, the others nothing.
    ///
    /// # Errors
    /// As of [`Link::gather`].
    pub async fn forward(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        self.run(&Batch::chunk(sequence, tokens, outputs)).await
    }

    /// Its part of [`Executor::decode_batch`], in the same way.
    ///
    /// # Errors
    /// As of [`Link::gather`].
    pub async fn decode_batch(&mut self, sequences: &[usize], tokens: &[u32]) -> Result<Vec<f32>> {
        self.run(&Batch::each(sequences, tokens)).await
    }

    async fn run(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        let network = Rc::clone(&self.executor.network);
        let plan = &network.plan;
        for step in &plan.layers {
            self.run_step(plan, step, batch).await?;
        }
        self.executor.advance(batch);
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
        // What ranks add up does not hold the residual yet: each of them has that.
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

    /// Adds up what the ranks have, in their order.
    async fn all_reduce(&mut self, values: &mut [f32]) -> Result<()> {
        let (ranks, length) = (self.all.len(), values.len());
        self.gather(For::All, values, &vec![length; ranks]).await?;
        values.copy_from_slice(&self.gathered[..length]);
        for theirs in self.gathered[length..].chunks_exact(length) {
            values.iter_mut().zip(theirs).for_each(|(sum, v)| *sum += v);
        }
        Ok(())
    }

    async fn gather(&mut self, whom: For, mine: &[f32], lengths: &[usize]) -> Result<()> {
        self.gathered.resize(lengths.iter().sum(), 0.0);
        self.link.gather(whom, mine, lengths, &mut self.gathered).await
    }

    async fn gather_to_first(&mut self, mine: &[f32], length: impl Fn(&Extent) -> usize) -> Result<()> {
        let lengths: Vec<_> = match self.slice.rank {
            0 => self.all.iter().map(length).collect(),
            _ => Vec::new(),
        };
        self.gather(For::First, mine, &lengths).await
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
            for Extent { tokens, .. } in &self.all {
                logits.extend_from_slice(&self.gathered[start + row * tokens..][..*tokens]);
                start += count * tokens;
            }
        }
        Ok(logits)
    }

    /// Its part of [`Executor::read_state`]: rank 0 gets the state of all channels, the others nothing of use.
    ///
    /// # Errors
    /// As of [`Link::gather`].
    pub async fn read_state(&mut self, sequence: usize) -> Result<State> {
        let mine = self.executor.read_state(sequence).await?;
        let mut whole = State { position: mine.position, tensors: Vec::new() };
        for (i, values) in mine.tensors.into_iter().enumerate() {
            if self.slice.network.state[i].axis.is_none() {
                whole.tensors.push(values);
                continue;
            }
            // A row's floats lie together, so ranks one after the other are the tensor.
            self.gather_to_first(&values, |extent| extent.state[i]).await?;
            whole.tensors.push(self.gathered.clone());
        }
        Ok(whole)
    }
}

/// One rank alone.
#[derive(Debug)]
pub struct Alone;

impl Link for Alone {
    fn gather<'a>(
        &'a mut self,
        _: For,
        mine: &'a [f32],
        _: &'a [usize],
        gathered: &'a mut [f32],
    ) -> LocalBoxFuture<'a, Result<()>> {
        gathered.copy_from_slice(mine);
        Box::pin(std::future::ready(Ok(())))
    }
}
