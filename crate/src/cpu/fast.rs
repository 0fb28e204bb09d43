//! Runs steps with the vectorised kernels: 8-bit activations, weights in tiles, several threads.
//!
//! Every kernel works on a range of tiles or channels, and a thread's range depends on its number alone.

use super::Matrix;
use super::chunk::Chunk;
use super::exact::{split_dt_b_c, wkv_inputs};
use super::kernels;
use super::lanes::ChannelLayout;
use super::matrix::WeightReader;
use super::pool::ThreadPool;
use super::quantised::Quantised;
use super::simd::Isa;
use super::tiles::{ROWS, Tiles};
use super::vectorised::ColumnsMut;
use super::vectorised::conv::Conv1dSilu;
use super::vectorised::elementwise::{Elementwise, ValueResidual};
use super::vectorised::matmul::{Input, MatMul, matmul};
use super::vectorised::norm::{LayerNorm, RmsNorm};
use super::vectorised::scan::SelectiveScan;
use super::vectorised::wkv7::Wkv7;
use crate::error::Result;
use crate::gguf::Gguf;
use crate::model::{Network, Op, Operands, State, Step, WeightId, Weights};

enum FastWeight {
    Tiles(Tiles),
    /// Decoded at load; taps and A in the order of lanes.
    Values(Vec<f32>),
}

/// Weights in tiles, and the threads that multiply by them.
pub struct Fast {
    isa: Isa,
    pool: ThreadPool,
    weights: Vec<FastWeight>,
    quantised: Quantised,
}

impl Fast {
    pub async fn load(
        gguf: &Gguf,
        network: &Network,
        weights: &Weights,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let mut loaded = Vec::with_capacity(weights.all().len());
        for id in weights.in_file_order() {
            let weight = &weights.all()[id];
            let reader = WeightReader::new(gguf, weight, progress);
            let weight = match weight.elementwise {
                true => FastWeight::Values(Matrix::load(reader).await?.decode()),
                false => FastWeight::Tiles(Tiles::load(reader).await?),
            };
            loaded.push((id, weight));
        }
        loaded.sort_by_key(|(id, _)| *id);
        let mut loaded: Vec<_> = loaded.into_iter().map(|(_, weight)| weight).collect();
        for step in network.plan.steps() {
            for (id, layout) in step.weights.iter().zip(ChannelLayout::of(step.op).0) {
                if let FastWeight::Values(values) = &mut loaded[id.0] {
                    *values = layout.apply(values, network.tensors[id.0].rows);
                }
            }
        }
        Ok(Self { isa: Isa::best(), pool: ThreadPool::new(1), weights: loaded, quantised: Quantised::default() })
    }

    /// Sets the number of threads.
    pub fn set_threads(&mut self, threads: usize) {
        self.pool = ThreadPool::new(threads);
    }

    /// Sets the instruction set.
    pub fn set_isa(&mut self, isa: Isa) {
        self.isa = isa;
    }

    /// Describes what runs it, for display.
    pub fn describe(&self) -> String {
        let threads = self.pool.threads();
        format!("CPU ({}, {threads} thread{})", self.isa.name(), if threads == 1 { "" } else { "s" })
    }

    /// Bytes of weights held.
    pub fn byte_len(&self) -> usize {
        let bytes = |weight: &FastWeight| match weight {
            FastWeight::Tiles(tiles) => tiles.byte_len(),
            FastWeight::Values(v) => 4 * v.len(),
        };
        self.weights.iter().map(bytes).sum()
    }

    /// Runs a step; `out` are the buffers that it writes. `state` is in the order of lanes.
    pub fn run(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [&mut [f32]]) {
        match step.op {
            Op::Embed => {
                let table = self.tiles(step.weights[0]);
                for (row, out) in chunk.embedding_rows(table.rows()).zip(out[0].chunks_exact_mut(table.columns())) {
                    match row {
                        Some(row) => table.decode_row(self.isa, row, out),
                        None => out.fill(0.0),
                    }
                }
            }
            Op::RmsNorm { eps } => {
                let Operands { reads: [x], weights: [weight], state: [], writes: [to] } = step.operands();
                let x = chunk.norm_input(x, to);
                self.isa.run(RmsNorm { x, weight: self.values(weight), eps, out: &mut out[0][..x.len()] });
            }
            Op::MatMul { accumulate } => self.matmul(step, chunk, accumulate, out[0]),
            Op::Conv1dSilu => self.conv(step, chunk, state, out[0]),
            Op::SplitDtBC { .. } => split_dt_b_c(step, chunk, out),
            Op::SelectiveScan => self.scan(step, chunk, state, out[0]),
            Op::LayerNorm { eps } => {
                let Operands { reads: [x], weights, state: [], writes: [to] } = step.operands();
                let ([weight, bias], x) = (weights.map(|id| self.values(id)), chunk.norm_input(x, to));
                self.isa.run(LayerNorm { x, weight, bias, eps, out: &mut out[0][..x.len()] });
            }
            // Compilers vectorise a shift and a product of values.
            Op::TokenShift => {
                let last = &mut state.tensors[step.state[0].0];
                kernels::token_shift(chunk.buffer(step.reads[0]), self.values(step.weights[0]), last, out);
            }
            Op::Multiply => {
                let Operands { reads: [x, y], weights: [], state: [], writes: [_] } = step.operands();
                kernels::multiply(chunk.buffer(x), chunk.buffer(y), out[0]);
            }
            Op::Elementwise(function) => {
                self.isa.run(Elementwise { function, x: chunk.buffer(step.reads[0]), out: out[0] });
            }
            Op::ValueResidual => {
                let Operands { reads, weights: [bias], state: [], writes: [_] } = step.operands();
                let reads = reads.map(|id| chunk.buffer(id));
                let out = &mut out[0][..reads[0].len()];
                self.isa.run(ValueResidual { reads, bias: self.values(bias), out });
            }
            Op::Wkv7 { eps } => self.wkv7(step, chunk, eps, state, out[0]),
        }
    }

    fn matmul(&mut self, step: &Step, chunk: Chunk<'_>, accumulate: bool, out: &mut [f32]) {
        let Operands { reads: [x], weights: [weight], state: [], writes: [_] } = step.operands();
        let Self { isa, pool, weights, quantised } = self;
        let FastWeight::Tiles(w) = &weights[weight.0] else { unreachable!("weight {} is elementwise", weight.0) };
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
        let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [_] } = step.operands();
        let Self { isa, pool, weights, .. } = self;
        let (taps, bias) = (values(weights, taps), values(weights, bias));
        let d_inner = bias.len();
        let parts = |buffer| ColumnsMut::new(buffer, d_inner).split_in_tiles(pool.threads()).into_iter();
        let states = parts(&mut state.tensors[past.0]);
        let x = chunk.columns(xz, 0, d_inner);
        let convolutions = parts(out).zip(states);
        let convolutions =
            convolutions.map(|(out, state)| Conv1dSilu { x, tokens: chunk.rows, taps, bias, state, out });
        pool.run(convolutions, |convolution| isa.run(convolution));
    }

    fn scan(&mut self, step: &Step, chunk: Chunk<'_>, state: &mut State, out: &mut [f32]) {
        let Operands { reads: [x, dt, bc, xz], weights: [dt_bias, a, d], state: [s], writes: [_] } = step.operands();
        let Self { isa, pool, weights, .. } = self;
        let d = values(weights, d);
        let d_inner = d.len();
        let tile_len = ROWS * (chunk.width(bc) / 2);
        let outs = ColumnsMut::new(out, d_inner).split_in_tiles(pool.threads());
        let mut states = state.tensors[s.0].as_mut_slice();
        let scans = outs.into_iter().map(|out| SelectiveScan {
            x: chunk.buffer(x),
            dt: chunk.buffer(dt),
            dt_bias: values(weights, dt_bias),
            a: values(weights, a),
            d,
            bc: chunk.buffer(bc),
            z: chunk.columns(xz, d_inner, d_inner),
            tokens: chunk.rows,
            state: states.split_off_mut(..out.tiles().len() * tile_len).unwrap_or_default(),
            out,
        });
        pool.run(scans, |scan| isa.run(scan));
    }

    fn wkv7(&mut self, step: &Step, chunk: Chunk<'_>, eps: f32, state: &mut State, out: &mut [f32]) {
        let Self { isa, pool, weights, .. } = self;
        let inputs = wkv_inputs(step, chunk, |id| values(weights, id), eps);
        let columns = chunk.width(step.output());
        let mut states = state.tensors[step.state[0].0].as_mut_slice();
        let head_size = states.len() / columns;
        let outs = ColumnsMut::new(out, columns).split_in_groups(head_size, pool.threads());
        let heads = outs.into_iter().map(|out| {
            let state = states.split_off_mut(..out.columns().len() * head_size).unwrap_or_default();
            Wkv7 { inputs, head_size, tokens: chunk.rows, state, out }
        });
        pool.run(heads, |heads| isa.run(heads));
    }

    fn tiles(&self, id: WeightId) -> &Tiles {
        match &self.weights[id.0] {
            FastWeight::Tiles(tiles) => tiles,
            FastWeight::Values(_) => unreachable!("weight {} is elementwise, the plan multiplies by it", id.0),
        }
    }

    fn values(&self, id: WeightId) -> &[f32] {
        values(&self.weights, id)
    }
}

fn values(weights: &[FastWeight], id: WeightId) -> &[f32] {
    match &weights[id.0] {
        FastWeight::Values(values) => values,
        FastWeight::Tiles(_) => unreachable!("weight {} is a matrix, the plan indexes it", id.0),
    }
}
