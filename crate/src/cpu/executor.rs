//! Runs a plan's steps with the scalar kernels.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::Matrix;
use super::kernels::{self, Columns, ColumnsMut, ScanInputs};
use crate::error::{Error, Result};
use crate::executor::{Backend, Executor, MAX_TOKENS, Memory, Outputs, check_tokens};
use crate::gguf::Gguf;
use crate::model::{BufferId, Config, Plan, Rows, State, Step, View, WeightId, Weights, record};

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
    state: State,
}

impl CpuExecutor {
    /// Reads every weight. `progress` is called with each number of bytes read.
    ///
    /// # Errors
    /// What reading gives; [`Error::OutOfMemory`] where the model exceeds the address space, before anything is read, or
    /// where a tensor finds no room.
    pub async fn load(gguf: &Gguf, config: &Config, weights: &Weights, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let needed = Memory::needed(config, weights).total();
        // 4 GiB in wasm; no model exceeds it natively.
        if needed > usize::MAX as u64 {
            return Err(Error::OutOfMemory { what: "the model".into(), needed, available: Some(usize::MAX as u64) });
        }
        let plan = record(config, weights);
        let mut loaded = Vec::with_capacity(weights.all().len());
        for id in weights.in_file_order() {
            let weight = &weights.all()[id];
            let matrix = Matrix::load(gguf, weight, progress).await?;
            loaded
                .push((id, if weight.elementwise { Weight::Values(matrix.decode()) } else { Weight::Matrix(matrix) }));
        }
        loaded.sort_by_key(|(id, _)| *id);
        let buffers = plan.buffers.iter().map(|b| vec![0.0; MAX_TOKENS * b.width]).collect();
        Ok(Self {
            config: config.clone(),
            vocab_size: weights.vocab_size,
            plan: Rc::new(plan),
            weights: loaded.into_iter().map(|(_, weight)| weight).collect(),
            buffers,
            scratch: Vec::new(),
            state: State::new(config),
        })
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What a buffer holds now, (rows, width), for comparing executors step by step.
    pub fn buffer(&self, id: BufferId) -> &[f32] {
        &self.buffers[id.0]
    }

    /// Runs one step over a chunk of tokens.
    pub fn run_step(&mut self, step: &Step, tokens: &[u32], outputs: usize) {
        // The written buffer is taken out, so that the others can be read beside it.
        let written = step.output();
        let mut out = std::mem::take(&mut self.buffers[written.0]);
        let rows = match self.plan.buffer(written).rows {
            Rows::Tokens => tokens.len(),
            Rows::Outputs => outputs,
        };
        self.run_into(step, tokens, rows, &mut out);
        self.buffers[written.0] = out;
    }

    fn run_into(&mut self, step: &Step, tokens: &[u32], rows: usize, out: &mut [f32]) {
        match step {
            Step::Embed { table, .. } => kernels::embed(tokens, self.matrix(*table), out),
            Step::RmsNorm { x, weight, eps, out: view } => {
                let first_row = match self.plan.buffer(view.buffer).rows {
                    Rows::Outputs => tokens.len() - rows,
                    Rows::Tokens => 0,
                };
                let stride = self.plan.buffer(view.buffer).width;
                let out = ColumnsMut { data: out, stride, start: view.start, width: view.width };
                kernels::rms_norm(self.columns(*x), first_row, rows, weight.map(|w| self.values(w)), *eps, out);
            }
            Step::MatMul { weight, x, accumulate, .. } => {
                let mut scratch = std::mem::take(&mut self.scratch);
                kernels::matmul(self.matrix(*weight), self.columns(*x), rows, *accumulate, &mut scratch, out);
                self.scratch = scratch;
            }
            Step::Conv1dSilu { x, weight, bias, layer, .. } => {
                let len = self.config.conv_state_len();
                let mut all = std::mem::take(&mut self.state.conv);
                let state = &mut all[layer * len..][..len];
                kernels::conv1d_silu(self.columns(*x), rows, self.values(*weight), self.values(*bias), state, out);
                self.state.conv = all;
            }
            Step::SelectiveScan { dt, dt_bias, a, d, b, c, z, layer, .. } => {
                let len = self.config.ssm_state_len();
                let mut all = std::mem::take(&mut self.state.ssm);
                let inputs = ScanInputs {
                    dt: &self.buffers[dt.0],
                    dt_bias: self.values(*dt_bias),
                    a: self.values(*a),
                    d: self.values(*d),
                    b: self.columns(*b),
                    c: self.columns(*c),
                    z: self.columns(*z),
                };
                kernels::selective_scan(inputs, rows, &mut all[layer * len..][..len], out);
                self.state.ssm = all;
            }
        }
    }

    fn columns(&self, view: View) -> Columns<'_> {
        let stride = self.plan.buffer(view.buffer).width;
        Columns { data: &self.buffers[view.buffer.0], stride, start: view.start, width: view.width }
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

    fn run(&mut self, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, MAX_TOKENS, self.vocab_size)?;
        let count = outputs.count(tokens.len());
        let plan = Rc::clone(&self.plan);
        for step in &plan.layers {
            self.run_step(step, tokens, count);
        }
        self.state.position += tokens.len() as u64;
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

    fn backend(&self) -> Backend {
        let weights = self.weights.iter().map(|w| match w {
            Weight::Matrix(m) => m.byte_len(),
            Weight::Values(v) => 4 * v.len(),
        });
        let buffers = self.buffers.iter().map(|b| 4 * b.len());
        let memory_bytes = (weights.sum::<usize>() + buffers.sum::<usize>() + self.config.state_bytes()) as u64;
        Backend { kind: "cpu", adapter: "CPU".into(), memory_bytes }
    }

    fn forward<'a>(&'a mut self, tokens: &'a [u32], outputs: Outputs) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move { self.run(tokens, outputs) })
    }

    fn read_state(&self) -> LocalBoxFuture<'_, Result<State>> {
        Box::pin(std::future::ready(Ok(self.state.clone())))
    }

    fn write_state(&mut self, state: &State) -> Result<()> {
        state.check(&self.config)?;
        self.state = state.clone();
        Ok(())
    }
}
