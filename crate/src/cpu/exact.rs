//! Runs steps with the reference kernels: f32 activations, one thread, nothing packed.

use super::Matrix;
use super::chunk::Chunk;
use super::kernels::{self, ScanInputs, WkvInputs};
use super::matrix::WeightReader;
use crate::error::Result;
use crate::gguf::Gguf;
use crate::model::{Op, Operands, State, Step, WeightId, Weights};

enum ExactWeight {
    Matrix(Matrix),
    /// Decoded at load, for kernels that index single values.
    Values(Vec<f32>),
}

/// Weights as the file has them.
pub struct Exact {
    weights: Vec<ExactWeight>,
    scratch: Vec<f32>,
}

impl Exact {
    pub async fn load(gguf: &Gguf, weights: &Weights, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let mut loaded = Vec::with_capacity(weights.all().len());
        for id in weights.in_file_order() {
            let weight = &weights.all()[id];
            let matrix = Matrix::load(WeightReader::new(gguf, weight, progress)).await?;
            let weight =
                if weight.elementwise { ExactWeight::Values(matrix.decode()) } else { ExactWeight::Matrix(matrix) };
            loaded.push((id, weight));
        }
        loaded.sort_by_key(|(id, _)| *id);
        Ok(Self { weights: loaded.into_iter().map(|(_, weight)| weight).collect(), scratch: Vec::new() })
    }

    /// Bytes of weights held.
    pub fn byte_len(&self) -> usize {
        let bytes = |weight: &ExactWeight| match weight {
            ExactWeight::Matrix(m) => m.byte_len(),
            ExactWeight::Values(v) => 4 * v.len(),
        };
        self.weights.iter().map(bytes).sum()
    }

    /// Runs a step; `out` are the buffers that it writes.
    pub fn run(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [&mut [f32]]) {
        let rows = chunk.rows;
        match step.op {
            Op::Embed => {
                let table = self.matrix(step.weights[0]);
                kernels::embed(chunk.embedding_rows(table.rows()), table, out[0]);
            }
            Op::RmsNorm { eps } => {
                let Operands { reads: [x], weights: [weight], state: [], writes: [to] } = step.operands();
                kernels::rms_norm(chunk.norm_input(x, to), self.values(weight), eps, out[0]);
            }
            Op::MatMul { accumulate } => {
                let Operands { reads: [x], weights: [weight], state: [], writes: [_] } = step.operands();
                let mut scratch = std::mem::take(&mut self.scratch);
                let x = chunk.all_columns(x);
                kernels::matmul(self.matrix(weight), x, rows, accumulate, &mut scratch, out[0]);
                self.scratch = scratch;
            }
            Op::Conv1dSilu => {
                let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [_] } = step.operands();
                let (taps, bias) = (self.values(taps), self.values(bias));
                let x = chunk.columns(xz, 0, bias.len());
                kernels::conv1d_silu(x, rows, taps, bias, &mut state.tensors[past.0], out[0]);
            }
            Op::SplitDtBC { .. } => split_dt_b_c(step, chunk, out),
            Op::SelectiveScan => {
                let Operands { reads: [x, dt, bc, xz], weights: [dt_bias, a, d], state: [s], writes: [_] } =
                    step.operands();
                let d = self.values(d);
                let inputs = ScanInputs {
                    x: chunk.buffer(x),
                    dt: chunk.buffer(dt),
                    dt_bias: self.values(dt_bias),
                    a: self.values(a),
                    d,
                    bc: chunk.buffer(bc),
                    z: chunk.columns(xz, d.len(), d.len()),
                };
                kernels::selective_scan(inputs, rows, &mut state.tensors[s.0], out[0]);
            }
            Op::LayerNorm { eps } => {
                let Operands { reads: [x], weights, state: [], writes: [to] } = step.operands();
                kernels::layer_norm(chunk.norm_input(x, to), weights.map(|id| self.values(id)), eps, out[0]);
            }
            Op::TokenShift => {
                let (x, mu, last) = (step.reads[0], step.weights[0], step.state[0]);
                kernels::token_shift(chunk.buffer(x), self.values(mu), &mut state.tensors[last.0], out);
            }
            Op::Elementwise(function) => kernels::elementwise(function, chunk.buffer(step.reads[0]), out[0]),
            Op::Multiply => {
                let Operands { reads: [x, y], weights: [], state: [], writes: [_] } = step.operands();
                kernels::multiply(chunk.buffer(x), chunk.buffer(y), out[0]);
            }
            Op::ValueResidual => {
                let Operands { reads, weights: [bias], state: [], writes: [_] } = step.operands();
                let out = &mut out[0][..chunk.buffer(reads[0]).len()];
                kernels::value_residual(reads.map(|id| chunk.buffer(id)), self.values(bias), out);
            }
            Op::Wkv7 { eps } => {
                let inputs = wkv_inputs(step, chunk, |id| self.values(id), eps);
                kernels::wkv7(inputs, rows, &mut state.tensors[step.state[0].0], out[0]);
            }
        }
    }

    fn matrix(&self, id: WeightId) -> &Matrix {
        match &self.weights[id.0] {
            ExactWeight::Matrix(matrix) => matrix,
            ExactWeight::Values(_) => unreachable!("weight {} is elementwise, the plan multiplies by it", id.0),
        }
    }

    fn values(&self, id: WeightId) -> &[f32] {
        match &self.weights[id.0] {
            ExactWeight::Values(values) => values,
            ExactWeight::Matrix(_) => unreachable!("weight {} is a matrix, the plan indexes it", id.0),
        }
    }
}

/// A few values a token: one kernel serves the fast executor too.
pub fn split_dt_b_c(step: &Step, chunk: Chunk<'_>, out: &mut [&mut [f32]]) {
    let (Op::SplitDtBC { eps }, [dt, bc]) = (step.op, out) else { unreachable!("this step writes two buffers") };
    let Operands { reads: [dbc], weights: [], state: [], writes: [to_dt, to_bc] } = step.operands();
    kernels::split_dt_b_c(chunk.buffer(dbc), chunk.width(to_dt), chunk.width(to_bc) / 2, eps, dt, bc);
}

/// What RWKV-7's recurrence reads; `values` gives a weight's values.
pub fn wkv_inputs<'a>(
    step: &Step,
    chunk: Chunk<'a>,
    values: impl Fn(WeightId) -> &'a [f32],
    eps: f32,
) -> WkvInputs<'a> {
    let Operands { reads, weights: [w0, a0, k_k, k_a, r_k, weight, bias], state: [_], writes: [_] } = step.operands();
    let [r, w, k, v, a] = reads.map(|id| chunk.buffer(id));
    let (weights, norm) = ([w0, a0, k_k, k_a, r_k].map(&values), [weight, bias].map(&values));
    WkvInputs { r, w, k, v, a, weights, norm, eps }
}
