//! Runs steps with the reference kernels: f32 activations, one thread, nothing packed.

use super::Matrix;
use super::chunk::Chunk;
use super::kernels::{self, ScanInputs};
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
