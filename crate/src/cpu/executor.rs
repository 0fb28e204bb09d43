//! Runs a plan's steps, with the reference kernels or with the fast ones.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::chunk::Chunk;
use super::exact::Exact;
use super::fast::Fast;
use super::lanes::StateLayouts;
use super::simd::Isa;
use super::vectorised::matmul::MAX_TOKENS;
use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, Memory, Outputs, check_tokens};
use crate::gguf::Gguf;
use crate::model::{BufferId, ModelFile, Network, Op, Plan, State, Step, Weights};

/// How the steps are run.
enum Kernels {
    Exact(Exact),
    Fast(Box<Fast>),
}

/// A model on the CPU.
pub struct CpuExecutor {
    pub(super) network: Rc<Network>,
    /// The token of the first row of the embedding; not 0 in a slice.
    first_token: usize,
    kernels: Kernels,
    /// How the kernels keep states.
    layouts: StateLayouts,
    pub(super) buffers: Vec<Vec<f32>>,
    /// One a sequence, in the kernels' layouts.
    states: Vec<State>,
}

impl CpuExecutor {
    /// Reads every weight. `progress` is called with each number of bytes read. With [`Activations::F32`] the reference kernels
    /// run, which everything else is held to; with [`Activations::Q8`] the fast ones, on one thread until
    /// [`CpuExecutor::set_threads`].
    ///
    /// # Errors
    /// What reading gives; [`Error::OutOfMemory`] where the model exceeds the address space, before anything is read, or
    /// where a tensor finds no room.
    pub async fn load(file: &ModelFile, activations: Activations, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        Self::load_slice(&file.gguf, &file.network, &file.weights, activations, progress).await
    }

    /// The same of a slice's network and weights.
    pub(super) async fn load_slice(
        gguf: &Gguf,
        network: &Network,
        weights: &Weights,
        activations: Activations,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let needed = Self::memory_needed(network, weights).total();
        // 4 GiB in wasm; no model exceeds it natively.
        if needed > usize::MAX as u64 {
            return Err(Error::OutOfMemory { what: "the model".into(), needed, available: Some(usize::MAX as u64) });
        }
        let (kernels, layouts) = match activations {
            Activations::F32 => {
                (Kernels::Exact(Exact::load(gguf, weights, progress).await?), StateLayouts::plain(network))
            }
            Activations::Q8 => {
                let fast = Fast::load(gguf, network, weights, progress).await?;
                (Kernels::Fast(Box::new(fast)), StateLayouts::of(network))
            }
        };
        let buffers = network.plan.buffers.iter().map(|b| vec![0.0; MAX_TOKENS * b.width]).collect();
        // A slice of the embedding may begin at another token.
        let tables = network.plan.steps().filter(|step| step.op == Op::Embed).flat_map(|step| &step.weights);
        let slices = tables.filter_map(|&table| weights.get(table).slice.as_ref());
        let first_token = slices.flat_map(|slice| &slice.rows).next().map_or(0, |rows| rows.start);
        let network = Rc::new(network.clone());
        let states = vec![layouts.apply(&State::new(&network))];
        Ok(Self { network, first_token, kernels, layouts, buffers, states })
    }

    /// Sets the number of threads of the fast kernels, at least one; the reference kernels use one. No result depends on it.
    pub fn set_threads(&mut self, threads: usize) {
        if let Kernels::Fast(fast) = &mut self.kernels {
            fast.set_threads(threads);
        }
    }

    /// Sets the instruction set of the fast kernels, for comparisons. No result depends on it.
    pub fn set_isa(&mut self, isa: Isa) {
        if let Kernels::Fast(fast) = &mut self.kernels {
            fast.set_isa(isa);
        }
    }

    /// The memory that a model needs here, before anything is loaded.
    pub fn memory_needed(network: &Network, weights: &Weights) -> Memory {
        Memory::needed(network, weights, MAX_TOKENS, MAX_TOKENS, 1)
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.network.plan
    }

    /// What a buffer holds now, (rows, width), for comparing executors step by step.
    pub fn buffer(&self, id: BufferId) -> &[f32] {
        &self.buffers[id.0]
    }

    /// Runs one step over a chunk of tokens of the first sequence.
    pub fn run_step(&mut self, step: &Step, tokens: &[u32], outputs: usize) {
        self.run_step_of(step, &Batch { tokens, sequences: Sequences::One(0), outputs });
    }

    /// Runs one step over a batch.
    pub(super) fn run_step_of(&mut self, step: &Step, batch: &Batch<'_>) {
        // What is written is taken out, so that the rest can be read beside it.
        let mut out: Vec<_> = step.writes.iter().map(|id| std::mem::take(&mut self.buffers[id.0])).collect();
        let Self { network, buffers, first_token, kernels, states, .. } = self;
        let rows = Chunk::rows(&network.plan, step, batch.tokens.len(), batch.outputs);
        let first_token = *first_token;
        let chunk = Chunk { plan: &network.plan, buffers, tokens: batch.tokens, first_row: 0, first_token, rows };
        let mut run = |chunk: Chunk<'_>, state: &mut State, out: &mut [&mut [f32]]| match kernels {
            Kernels::Exact(exact) => exact.run(step, chunk, state, out),
            Kernels::Fast(fast) => fast.run(step, chunk, state, out),
        };
        match batch.sequences {
            // Each row has a state of its own.
            Sequences::Each(sequences) if !step.state.is_empty() => {
                for (row, &sequence) in sequences.iter().enumerate() {
                    let widths = step.writes.iter().map(|&id| chunk.width(id));
                    let mut out: Vec<_> =
                        out.iter_mut().zip(widths).map(|(out, width)| &mut out[row * width..][..width]).collect();
                    run(chunk.row(row), &mut states[sequence], &mut out);
                }
            }
            Sequences::Each(_) | Sequences::One(_) => {
                let sequence = batch.sequences.first();
                let mut out: Vec<_> = out.iter_mut().map(Vec::as_mut_slice).collect();
                run(chunk, &mut states[sequence], &mut out);
            }
        }
        for (id, buffer) in step.writes.iter().zip(out) {
            self.buffers[id.0] = buffer;
        }
    }

    fn fresh_state(&self) -> State {
        self.layouts.apply(&State::new(&self.network))
    }

    /// The hidden states of a batch whose layers have run.
    pub(super) fn hidden_of(&mut self, batch: &Batch<'_>) -> Vec<f32> {
        let network = Rc::clone(&self.network);
        let (norms, hidden) = network.plan.hidden();
        norms.iter().for_each(|step| self.run_step_of(step, batch));
        self.buffers[hidden.0][..batch.outputs * network.plan.buffer(hidden).width].to_vec()
    }

    fn run_layers(&mut self, batch: &Batch<'_>) -> Result<()> {
        check_tokens(batch.tokens, MAX_TOKENS, self.network.vocab_size)?;
        let network = Rc::clone(&self.network);
        for step in &network.plan.layers {
            self.run_step_of(step, batch);
        }
        self.advance(batch);
        Ok(())
    }

    fn run(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        self.run_layers(batch)?;
        let network = Rc::clone(&self.network);
        let plan = &network.plan;
        if batch.outputs == 0 {
            return Ok(Vec::new());
        }
        for step in &plan.head {
            self.run_step_of(step, batch);
        }
        Ok(self.buffers[plan.logits.0][..batch.outputs * network.vocab_size].to_vec())
    }

    /// The tokens of a batch are read.
    pub(super) fn advance(&mut self, batch: &Batch<'_>) {
        match batch.sequences {
            Sequences::One(sequence) => self.states[sequence].position += batch.tokens.len() as u64,
            Sequences::Each(sequences) => sequences.iter().for_each(|&sequence| self.states[sequence].position += 1),
        }
    }
}

/// What one forward pass reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    pub tokens: &'a [u32],
    pub sequences: Sequences<'a>,
    /// The number of last tokens whose logits are computed.
    pub outputs: usize,
}

/// The sequences of the tokens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sequences<'a> {
    /// All of one sequence, one after the other.
    One(usize),
    /// Each of another sequence.
    Each(&'a [usize]),
}

impl Sequences<'_> {
    fn first(self) -> usize {
        match self {
            Self::One(sequence) => sequence,
            Self::Each(sequences) => sequences[0],
        }
    }
}

impl<'a> Batch<'a> {
    /// A chunk of one sequence.
    pub fn chunk(sequence: usize, tokens: &'a [u32], outputs: Outputs) -> Self {
        Self { tokens, sequences: Sequences::One(sequence), outputs: outputs.count(tokens.len()) }
    }

    /// A token of each of some sequences, with the logits of all.
    pub fn each(sequences: &'a [usize], tokens: &'a [u32]) -> Self {
        Self { tokens, sequences: Sequences::Each(sequences), outputs: tokens.len() }
    }
}

impl Executor for CpuExecutor {
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
        let (weights, activations, adapter) = match &self.kernels {
            Kernels::Exact(exact) => (exact.byte_len(), Activations::F32, "CPU".into()),
            Kernels::Fast(fast) => (fast.byte_len(), Activations::Q8, fast.describe()),
        };
        let buffers: usize = self.buffers.iter().map(|b| 4 * b.len()).sum();
        let memory_bytes = (weights + buffers + self.states.len() * self.network.state_bytes()) as u64;
        Backend { kind: "cpu", adapter, activations, memory_bytes }
    }

    fn forward<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        outputs: Outputs,
    ) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move { self.run(&Batch::chunk(sequence, tokens, outputs)) })
    }

    fn hidden<'a>(&'a mut self, sequence: usize, tokens: &'a [u32]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        let batch = Batch::chunk(sequence, tokens, Outputs::Each);
        Box::pin(async move { self.run_layers(&batch).map(|()| self.hidden_of(&batch)) })
    }

    fn decode_batch<'a>(&'a mut self, tokens: &'a [(usize, u32)]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        let (sequences, tokens): (Vec<_>, Vec<_>) = tokens.iter().copied().unzip();
        Box::pin(async move { self.run(&Batch::each(&sequences, &tokens)) })
    }

    fn sequences(&self) -> usize {
        self.states.len()
    }

    fn set_sequences(&mut self, count: usize) -> LocalBoxFuture<'_, Result<()>> {
        self.states = vec![self.fresh_state(); count];
        Box::pin(std::future::ready(Ok(())))
    }

    fn reset(&mut self, sequence: usize) -> Result<()> {
        self.states[sequence] = self.fresh_state();
        Ok(())
    }

    fn read_state(&mut self, sequence: usize) -> LocalBoxFuture<'_, Result<State>> {
        let state = self.layouts.undo(&self.states[sequence]);
        Box::pin(std::future::ready(Ok(state)))
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(&self.network)?;
        self.states[sequence] = self.layouts.apply(state);
        Ok(())
    }
}
