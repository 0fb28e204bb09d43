//! Runs steps with the reference kernels: f32 activations, one thread, nothing packed.

use super::Matrix;
use super::chunk::Chunk;
use super::kernels::{self, ScanInputs};
use super::matrix::Reader;
use crate::error::Result;
use crate::gguf::Gguf;
use crate::model::{State, Step, WeightId, Weights};

enum Weight {
    Matrix(Matrix),
    /// Decoded at load, for kernels that index single values.
    Values(Vec<f32>),
}

/// Weights as the file has them.
pub struct Exact {
    weights: Vec<Weight>,
    scratch: Vec<f32>,
}

impl Exact {
    pub async fn load(gguf: &Gguf, weights: &Weights, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let mut loaded = Vec::with_capacity(weights.all().len());
        for id in weights.in_file_order() {
            let weight = &weights.all()[id];
            let matrix = Matrix::load(Reader::new(gguf, weight, progress)).await?;
            let weight = if weight.elementwise { Weight::Values(matrix.decode()) } else { Weight::Matrix(matrix) };
            loaded.push((id, weight));
        }
        loaded.sort_by_key(|(id, _)| *id);
        Ok(Self { weights: loaded.into_iter().map(|(_, weight)| weight).collect(), scratch: Vec::new() })
    }

    /// Bytes of weights held.
    pub fn byte_len(&self) -> usize {
        let bytes = |weight: &Weight| match weight {
            Weight::Matrix(m) => m.byte_len(),
            Weight::Values(v) => 4 * v.len(),
        };
        self.weights.iter().map(bytes).sum()
    }

    /// Runs a step that writes one buffer.
    pub fn run(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [f32]) {
        let rows = chunk.rows;
        match step {
            Step::Embed { table, .. } => {
                let table = self.matrix(*table);
                kernels::embed(chunk.embedding_rows(table.rows()), table, out);
            }
            Step::RmsNorm { x, weight, eps, out: to } => {
                kernels::rms_norm(chunk.norm_input(*x, *to), self.values(*weight), *eps, out);
            }
            Step::MatMul { weight, x, accumulate, .. } => {
                let mut scratch = std::mem::take(&mut self.scratch);
                let x = chunk.all_columns(*x);
                kernels::matmul(self.matrix(*weight), x, rows, *accumulate, &mut scratch, out);
                self.scratch = scratch;
            }
            Step::Conv1dSilu { xz, weight, bias, layer, .. } => {
                let len = chunk.config.conv_state_len();
                let x = chunk.columns(*xz, 0, chunk.config.d_inner);
                let state = &mut state.conv[layer * len..][..len];
                kernels::conv1d_silu(x, rows, self.values(*weight), self.values(*bias), state, out);
            }
            Step::SplitDtBC { .. } => unreachable!("it writes two buffers"),
            Step::SelectiveScan { x, dt, dt_bias, a, d, bc, xz, layer, .. } => {
                let d_inner = chunk.config.d_inner;
                let len = chunk.config.ssm_state_len();
                let inputs = ScanInputs {
                    x: chunk.buffer(*x),
                    dt: chunk.buffer(*dt),
                    dt_bias: self.values(*dt_bias),
                    a: self.values(*a),
                    d: self.values(*d),
                    bc: chunk.buffer(*bc),
                    z: chunk.columns(*xz, d_inner, d_inner),
                };
                kernels::selective_scan(inputs, rows, &mut state.ssm[layer * len..][..len], out);
            }
        }
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
}
