//! Runs a plan's steps with the scalar kernels.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::Matrix;
use super::kernels::{self, Columns, ScanInputs};
use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, Memory, Outputs, check_tokens};
use crate::gguf::Gguf;
use crate::model::{BufferId, Config, Plan, Rows, State, Step, WeightId, Weights, record};

/// Tokens of one chunk: enough that decoding a weight is shared, few enough that a stop is noticed soon.
const MAX_TOKENS: usize = 32;

enum Weight {
    Matrix(Matrix),
    /// Decoded at load, for kernels that index single values.
    Values(Vec<f32>),
}

/// A model on the CPU. Scalar, one thread, f32 activations.
pub struct CpuExecutor {
    config: Config,
    vocab_size: usize,
    plan: Rc<Plan>,
    weights: Vec<Weight>,
    buffers: Vec<Vec<f32>>,
    scratch: Vec<f32>,
    /// One a sequence.
    states: Vec<State>,
    /// The sequence that steps run on.
    current: usize,
}

impl CpuExecutor {
    /// Reads every weight. `progress` is called with each number of bytes read.
    ///
    /// # Errors
    /// What reading gives; [`Error::OutOfMemory`] where the model exceeds the address space, before anything is read, or
    /// where a tensor finds no room.
    pub async fn load(gguf: &Gguf, config: &Config, weights: &Weights, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let needed = Self::memory_needed(config, weights).total();
        // 4 GiB in wasm; no model exceeds it natively.
        if needed > usize::MAX as u64 {
            return Err(Error::OutOfMemory { what: "the model".into(), needed, available: Some(usize::MAX as u64) });
        }
        let plan = record(config, weights);
        let mut loaded = Vec::with_capacity(weights.all().len());
        for weight in weights.all() {
            let matrix = Matrix::load(gguf, weight, progress).await?;
            loaded.push(if weight.elementwise { Weight::Values(matrix.decode()) } else { Weight::Matrix(matrix) });
        }
        let buffers = plan.buffers.iter().map(|b| vec![0.0; MAX_TOKENS * b.width]).collect();
        Ok(Self {
            config: config.clone(),
            vocab_size: weights.vocab_size,
            plan: Rc::new(plan),
            weights: loaded,
            buffers,
            scratch: Vec::new(),
            states: vec![State::new(config)],
            current: 0,
        })
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
        let mut state = std::mem::replace(&mut self.states[self.current], State::none());
        let rows = match self.plan.buffer(step.output()).rows {
            Rows::Tokens => tokens.len(),
            Rows::Outputs => outputs,
        };
        match written.as_mut_slice() {
            [(_, dt), (_, bc)] => self.split(step, rows, dt, bc),
            [(_, out)] => self.run_into(step, tokens, rows, &mut state, out),
            _ => unreachable!("a step writes one buffer or two"),
        }
        self.states[self.current] = state;
        for (id, buffer) in written {
            self.buffers[id.0] = buffer;
        }
    }

    fn split(&self, step: &Step, rows: usize, dt: &mut [f32], bc: &mut [f32]) {
        let Step::SplitDtBC { dbc, eps, .. } = step else { unreachable!("only this step writes two buffers") };
        let Config { dt_rank, d_state, .. } = self.config;
        let dbc = &self.buffers[dbc.0][..rows * self.config.dbc_width()];
        kernels::split_dt_b_c(dbc, dt_rank, d_state, *eps, dt, bc);
    }

    fn run_into(&mut self, step: &Step, tokens: &[u32], rows: usize, state: &mut State, out: &mut [f32]) {
        match step {
            Step::Embed { table, .. } => kernels::embed(tokens, self.matrix(*table), out),
            Step::RmsNorm { x, weight, eps, out: to } => {
                let first_row = match self.plan.buffer(*to).rows {
                    Rows::Outputs => tokens.len() - rows,
                    Rows::Tokens => 0,
                };
                let width = self.plan.buffer(*x).width;
                let x = &self.buffers[x.0][first_row * width..][..rows * width];
                kernels::rms_norm(x, self.values(*weight), *eps, out);
            }
            Step::MatMul { weight, x, accumulate, .. } => {
                let mut scratch = std::mem::take(&mut self.scratch);
                let width = self.plan.buffer(*x).width;
                let x = self.columns(*x, 0, width);
                kernels::matmul(self.matrix(*weight), x, rows, *accumulate, &mut scratch, out);
                self.scratch = scratch;
            }
            Step::Conv1dSilu { xz, weight, bias, layer, .. } => {
                let len = self.config.conv_state_len();
                let x = self.columns(*xz, 0, self.config.d_inner);
                let state = &mut state.conv[layer * len..][..len];
                kernels::conv1d_silu(x, rows, self.values(*weight), self.values(*bias), state, out);
            }
            Step::SplitDtBC { .. } => unreachable!("it writes two buffers"),
            Step::SelectiveScan { x, dt, dt_bias, a, d, bc, xz, layer, .. } => {
                let Config { d_inner, .. } = self.config;
                let len = self.config.ssm_state_len();
                let inputs = ScanInputs {
                    x: &self.buffers[x.0],
                    dt: &self.buffers[dt.0],
                    dt_bias: self.values(*dt_bias),
                    a: self.values(*a),
                    d: self.values(*d),
                    bc: &self.buffers[bc.0],
                    z: self.columns(*xz, d_inner, d_inner),
                };
                kernels::selective_scan(inputs, rows, &mut state.ssm[layer * len..][..len], out);
            }
        }
    }

    /// Some columns of a buffer's rows.
    fn columns(&self, id: BufferId, start: usize, width: usize) -> Columns<'_> {
        let stride = self.plan.buffer(id).width;
        Columns { data: &self.buffers[id.0], stride, start, width }
    }

    fn matrix(&self, id: WeightId) -> &Matrix {
        match &self.weights[id.0] {
            Weight::Matrix(matrix) => matrix,
            Weight::Values(_) => unreachable!("weight {} is elementwise, the plan multiplies by it", id.0),
        }
    }

    fn values(&self, id: WeightId) -> &[f32] {
        match &self.weights[id.0] {
            Weight::Values(values) => values,
            Weight::Matrix(_) => unreachable!("weight {} is a matrix, the plan indexes it", id.0),
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
        let weights = self.weights.iter().map(|w| match w {
            Weight::Matrix(m) => m.byte_len(),
            Weight::Values(v) => 4 * v.len(),
        });
        let buffers = self.buffers.iter().map(|b| 4 * b.len());
        let memory_bytes =
            (weights.sum::<usize>() + buffers.sum::<usize>() + self.states.len() * self.config.state_bytes()) as u64;
        Backend { kind: "cpu", adapter: "CPU".into(), activations: Activations::F32, memory_bytes }
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
        self.states = vec![State::new(&self.config); count];
        Box::pin(std::future::ready(Ok(())))
    }

    fn reset(&mut self, sequence: usize) -> Result<()> {
        self.states[sequence] = State::new(&self.config);
        Ok(())
    }

    fn read_state(&self, sequence: usize) -> LocalBoxFuture<'_, Result<State>> {
        Box::pin(std::future::ready(Ok(self.states[sequence].clone())))
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(&self.config)?;
        self.states[sequence] = state.clone();
        Ok(())
    }
}
