//! Runs a plan's steps, with the reference kernels or with the fast ones.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::chunk::Chunk;
use super::exact::Exact;
use super::fast::Fast;
use super::simd::Isa;
use super::vectorised::matmul::MAX_TOKENS;
use super::{kernels, lanes};
use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, Memory, Outputs, check_tokens};
use crate::gguf::Gguf;
use crate::model::{BufferId, Config, Plan, State, Step, Weights, record};

/// How the steps are run.
enum Kernels {
    Exact(Exact),
    Fast(Box<Fast>),
}

/// A model on the CPU.
pub struct CpuExecutor {
    config: Config,
    vocab_size: usize,
    /// Of a slice, the token of the embedding's first row that is here.
    pub(super) first_token: usize,
    pub(super) plan: Rc<Plan>,
    kernels: Kernels,
    pub(super) buffers: Vec<Vec<f32>>,
    /// One a sequence, in the order of lanes where the kernels are the fast ones.
    pub(super) states: Vec<State>,
    /// The sequence that steps run on.
    pub(super) current: usize,
}

impl CpuExecutor {
    /// Reads every weight. `progress` is called with each number of bytes read. With [`Activations::F32`] the reference kernels
    /// run, which everything else is held to; with [`Activations::Q8`] the fast ones, on one thread until
    /// [`CpuExecutor::set_threads`].
    ///
    /// # Errors
    /// What reading gives; [`Error::OutOfMemory`] where the model exceeds the address space, before anything is read, or
    /// where a tensor finds no room.
    pub async fn load(
        gguf: &Gguf,
        config: &Config,
        weights: &Weights,
        activations: Activations,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let needed = Self::memory_needed(config, weights).total();
        // 4 GiB in wasm; no model exceeds it natively.
        if needed > usize::MAX as u64 {
            return Err(Error::OutOfMemory { what: "the model".into(), needed, available: Some(usize::MAX as u64) });
        }
        let plan = record(config, weights);
        let kernels = match activations {
            Activations::F32 => Kernels::Exact(Exact::load(gguf, weights, progress).await?),
            Activations::Q8 => Kernels::Fast(Box::new(Fast::load(gguf, config, weights, &plan, progress).await?)),
        };
        let buffers = plan.buffers.iter().map(|b| vec![0.0; MAX_TOKENS * b.width]).collect();
        let mut executor = Self {
            config: config.clone(),
            vocab_size: weights.vocab_size,
            first_token: 0,
            plan: Rc::new(plan),
            kernels,
            buffers,
            states: Vec::new(),
            current: 0,
        };
        executor.states.push(executor.fresh_state());
        Ok(executor)
    }

    /// Runs the fast kernels on so many threads from now on, at least one; the reference kernels know only one. No result
    /// depends on it.
    pub fn set_threads(&mut self, threads: usize) {
        if let Kernels::Fast(fast) = &mut self.kernels {
            fast.set_threads(threads);
        }
    }

    /// Runs the fast kernels with other instructions than the best from now on, for comparing. No result depends on it.
    pub fn set_isa(&mut self, isa: Isa) {
        if let Kernels::Fast(fast) = &mut self.kernels {
            fast.set_isa(isa);
        }
    }

    /// What a model takes here, before anything is loaded.
    pub fn memory_needed(config: &Config, weights: &Weights) -> Memory {
        Memory::needed(config, weights, MAX_TOKENS, MAX_TOKENS, 1)
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What a buffer holds now, (rows, width), for comparing executors step by step.
    pub fn buffer(&self, id: BufferId) -> &[f32] {
        &self.buffers[id.0]
    }

    /// Runs one step over a chunk of tokens of the current sequence.
    pub fn run_step(&mut self, step: &Step, tokens: &[u32], outputs: usize) {
        // What is written is taken out, so that the rest can be read beside it.
        let mut written: Vec<_> = step.outputs().map(|id| (id, std::mem::take(&mut self.buffers[id.0]))).collect();
        let rows = Chunk::rows(&self.plan, step, tokens.len(), outputs);
        let Self { config, plan, buffers, first_token, .. } = self;
        let chunk = Chunk { config, plan, buffers, tokens, first_token: *first_token, rows };
        match written.as_mut_slice() {
            [(_, dt), (_, bc)] => split(step, chunk, dt, bc),
            [(_, out)] => {
                let state = &mut self.states[self.current];
                match &mut self.kernels {
                    Kernels::Exact(exact) => exact.run(step, chunk, state, out),
                    Kernels::Fast(fast) => fast.run(step, chunk, state, out),
                }
            }
            _ => unreachable!("a step writes one buffer or two"),
        }
        for (id, buffer) in written {
            self.buffers[id.0] = buffer;
        }
    }

    fn fresh_state(&self) -> State {
        let state = State::new(&self.config);
        match self.kernels {
            Kernels::Exact(_) => state,
            Kernels::Fast(_) => lanes::state_to_lanes(&state, &self.config),
        }
    }

    fn run(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, MAX_TOKENS, self.vocab_size)?;
        let count = outputs.count(tokens.len());
        self.current = sequence;
        let plan = Rc::clone(&self.plan);
        for step in &plan.layers {
            self.run_step(step, tokens, count);
        }
        self.states[sequence].position += tokens.len() as u64;
        if count == 0 {
            return Ok(Vec::new());
        }
        for step in &plan.head {
            self.run_step(step, tokens, count);
        }
        Ok(self.buffers[plan.logits.0][..count * self.vocab_size].to_vec())
    }
}

/// A few values a token: one kernel serves both.
fn split(step: &Step, chunk: Chunk<'_>, dt: &mut [f32], bc: &mut [f32]) {
    let Step::SplitDtBC { dbc, eps, .. } = step else { unreachable!("only this step writes two buffers") };
    let Config { dt_rank, d_state, .. } = *chunk.config;
    let dbc = &chunk.buffer(*dbc)[..chunk.rows * chunk.config.dbc_width()];
    kernels::split_dt_b_c(dbc, dt_rank, d_state, *eps, dt, bc);
}

impl Executor for CpuExecutor {
    fn config(&self) -> &Config {
        &self.config
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size
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
        let memory_bytes = (weights + buffers + self.states.len() * self.config.state_bytes()) as u64;
        Backend { kind: "cpu", adapter, activations, memory_bytes }
    }

    fn forward<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        outputs: Outputs,
    ) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move { self.run(sequence, tokens, outputs) })
    }

    fn decode_batch<'a>(&'a mut self, tokens: &'a [(usize, u32)]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move {
            let mut logits = Vec::with_capacity(tokens.len() * self.vocab_size);
            for &(sequence, token) in tokens {
                logits.extend(self.run(sequence, &[token], Outputs::Last)?);
            }
            Ok(logits)
        })
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
        let state = &self.states[sequence];
        let state = match self.kernels {
            Kernels::Exact(_) => state.clone(),
            Kernels::Fast(_) => lanes::state_from_lanes(state, &self.config),
        };
        Box::pin(std::future::ready(Ok(state)))
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(&self.config)?;
        self.states[sequence] = match self.kernels {
            Kernels::Exact(_) => state.clone(),
            Kernels::Fast(_) => lanes::state_to_lanes(state, &self.config),
        };
        Ok(())
    }
}
