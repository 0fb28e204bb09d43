//! Runs steps with the vectorised kernels: 8-bit activations, weights in tiles, several threads.
//!
//! Every kernel works on a range of tiles or channels, and a thread's range depends on nothing but its number: the slices that
//! threads own here are the slices that workers with memories of their own would own.

use super::Matrix;
use super::chunk::Chunk;
use super::lanes;
use super::matrix::Reader;
use super::pool::Pool;
use super::quantised::Quantised;
use super::simd::Isa;
use super::tiles::{ROWS, Tiles};
use super::vectorised::ColumnsMut;
use super::vectorised::conv::Conv1dSilu;
use super::vectorised::matmul::{Input, MatMul, matmul};
use super::vectorised::norm::RmsNorm;
use super::vectorised::scan::SelectiveScan;
use crate::error::Result;
use crate::gguf::Gguf;
use crate::model::{Config, Plan, State, Step, WeightId, Weights};

enum Weight {
    Tiles(Tiles),
    /// Decoded at load; taps and A in the order of lanes.
    Values(Vec<f32>),
}

/// Weights in tiles, and who multiplies them.
pub struct Fast {
    isa: Isa,
    pool: Pool,
    weights: Vec<Weight>,
    quantised: Quantised,
}

impl Fast {
    pub async fn load(
        gguf: &Gguf,
        config: &Config,
        weights: &Weights,
        plan: &Plan,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let mut loaded = Vec::with_capacity(weights.all().len());
        for id in weights.in_file_order() {
            let weight = &weights.all()[id];
            let reader = Reader::new(gguf, weight, progress);
            let weight = match weight.elementwise {
                true => Weight::Values(Matrix::load(reader).await?.decode()),
                false => Weight::Tiles(Tiles::load(reader).await?),
            };
            loaded.push((id, weight));
        }
        loaded.sort_by_key(|(id, _)| *id);
        let mut loaded: Vec<_> = loaded.into_iter().map(|(_, weight)| weight).collect();
        for step in plan.steps() {
            let (Step::Conv1dSilu { weight, .. } | Step::SelectiveScan { a: weight, .. }) = step else { continue };
            if let Weight::Values(values) = &mut loaded[weight.0] {
                *values = match step {
                    Step::Conv1dSilu { .. } => lanes::transposed(values, config.d_inner),
                    _ => lanes::in_tiles(values, config.d_inner),
                };
            }
        }
        Ok(Self { isa: Isa::best(), pool: Pool::new(1), weights: loaded, quantised: Quantised::default() })
    }

    /// Runs on so many threads from now on.
    pub fn set_threads(&mut self, threads: usize) {
        self.pool = Pool::new(threads);
    }

    /// Runs with other instructions from now on.
    pub fn set_isa(&mut self, isa: Isa) {
        self.isa = isa;
    }

    /// What runs it, for people.
    pub fn describe(&self) -> String {
        let threads = self.pool.threads();
        format!("CPU ({}, {threads} thread{})", self.isa.name(), if threads == 1 { "" } else { "s" })
    }

    /// Bytes of weights held.
    pub fn byte_len(&self) -> usize {
        let bytes = |weight: &Weight| match weight {
            Weight::Tiles(tiles) => tiles.byte_len(),
            Weight::Values(v) => 4 * v.len(),
        };
        self.weights.iter().map(bytes).sum()
    }

    /// Runs a step that writes one buffer. `state` is in the order of lanes.
    pub fn run(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [f32]) {
        match step {
            Step::Embed { table, .. } => {
                let table = self.tiles(*table);
                for (row, out) in chunk.embedding_rows(table.rows()).zip(out.chunks_exact_mut(table.columns())) {
                    match row {
                        Some(row) => table.decode_row(self.isa, row, out),
                        None => out.fill(0.0),
                    }
                }
            }
            Step::RmsNorm { x, weight, eps, out: to } => {
                let x = chunk.norm_input(*x, *to);
                self.isa.run(RmsNorm { x, weight: self.values(*weight), eps: *eps, out: &mut out[..x.len()] });
            }
            Step::MatMul { weight, x, accumulate, .. } => self.matmul(*weight, chunk, *x, *accumulate, out),
            Step::Conv1dSilu { .. } => self.conv(step, chunk, state, out),
            Step::SplitDtBC { .. } => unreachable!("it writes two buffers"),
            Step::SelectiveScan { .. } => self.scan(step, chunk, state, out),
        }
    }

    fn matmul(
        &mut self,
        weight: WeightId,
        chunk: Chunk<'_>,
        x: crate::model::BufferId,
        accumulate: bool,
        out: &mut [f32],
    ) {
        let Self { isa, pool, weights, quantised } = self;
        let Weight::Tiles(w) = &weights[weight.0] else { unreachable!("weight {} is elementwise", weight.0) };
        let x = chunk.all_columns(x);
        let input = if w.dtype().block_len() == 1 {
            Input::Floats(x)
        } else {
            quantised.set(*isa, x, chunk.rows);
            Input::Quantised(quantised)
        };
        let outs = ColumnsMut::new(out, w.rows()).split_in_tiles(pool.threads());
        let products = outs.into_iter().map(|out| MatMul { w, x: input, tokens: chunk.rows, accumulate, out });
        pool.run(products, |product| matmul(*isa, product));
    }

    fn conv(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [f32]) {
        let Step::Conv1dSilu { xz, weight, bias, layer, .. } = step else { unreachable!("not a convolution") };
        let Self { isa, pool, weights, .. } = self;
        let (taps, bias) = (values(weights, *weight), values(weights, *bias));
        let d_inner = chunk.config.d_inner;
        let len = chunk.config.conv_state_len();
        let parts = |buffer| ColumnsMut::new(buffer, d_inner).split_in_tiles(pool.threads()).into_iter();
        let states = parts(&mut state.conv[layer * len..][..len]);
        let x = chunk.columns(*xz, 0, d_inner);
        let convolutions = parts(out).zip(states);
        let convolutions =
            convolutions.map(|(out, state)| Conv1dSilu { x, tokens: chunk.rows, taps, bias, state, out });
        pool.run(convolutions, |convolution| isa.run(convolution));
    }

    fn scan(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [f32]) {
        let Step::SelectiveScan { x, dt, dt_bias, a, d, bc, xz, layer, .. } = step else { unreachable!("not a scan") };
        let Self { isa, pool, weights, .. } = self;
        let d_inner = chunk.config.d_inner;
        let len = lanes::ssm_state_len(chunk.config);
        let tile_len = ROWS * chunk.config.d_state;
        let outs = ColumnsMut::new(out, d_inner).split_in_tiles(pool.threads());
        let mut states = &mut state.ssm[layer * len..][..len];
        let scans = outs.into_iter().map(|out| SelectiveScan {
            x: chunk.buffer(*x),
            dt: chunk.buffer(*dt),
            dt_bias: values(weights, *dt_bias),
            a: values(weights, *a),
            d: values(weights, *d),
            bc: chunk.buffer(*bc),
            z: chunk.columns(*xz, d_inner, d_inner),
            tokens: chunk.rows,
            state: states.split_off_mut(..out.tiles().len() * tile_len).unwrap_or_default(),
            out,
        });
        pool.run(scans, |scan| isa.run(scan));
    }

    fn tiles(&self, id: WeightId) -> &Tiles {
        match &self.weights[id.0] {
            Weight::Tiles(tiles) => tiles,
            Weight::Values(_) => unreachable!("weight {} is elementwise, the plan multiplies by it", id.0),
        }
    }

    fn values(&self, id: WeightId) -> &[f32] {
        values(&self.weights, id)
    }
}

fn values(weights: &[Weight], id: WeightId) -> &[f32] {
    match &weights[id.0] {
        Weight::Values(values) => values,
        Weight::Tiles(_) => unreachable!("weight {} is a matrix, the plan indexes it", id.0),
    }
}
