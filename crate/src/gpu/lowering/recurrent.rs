//! Steps that carry a state from token to token, and the split of what Mamba's scan reads.

use super::dispatch::{Grid, LoweredDispatch};
use super::steps::{Lowering, PER_CHANNEL};
use crate::gpu::kernels::{
    CONV1D_SILU, Layout, PrefillScan, SELECTIVE_SCAN, SPLIT_DT_B_C, TOKEN_SHIFT, Variant, WKV7, WkvScan, params,
};
use crate::model::{Operands, Rows, Step};

/// The lanes of a channel or of a row of states, where shuffles can sum them.
const SCAN_LANES: usize = 4;

impl Lowering<'_> {
    pub fn conv1d_silu(&self, step: &Step) -> LoweredDispatch {
        let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [out] } = step.operands();
        let d_inner = self.width(out);
        let params = params::Conv1dSilu { d_inner: d_inner as u32, stride: self.width(xz) as u32 };
        let (d_conv, state) = (self.weight(taps).columns, self.storage.state(past).clone());
        let (taps, bias) = (self.values(taps), self.values(bias));
        let (variant, _) = self.writing(out, PER_CHANNEL);
        LoweredDispatch {
            kernel: &CONV1D_SILU,
            // Beside the plain form, which it always writes.
            variant: Variant { d_conv, out_layout: Layout::Activations, ..variant },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(xz), taps, bias, state, self.plain(out), self.acts(out)],
            grid: Grid::PerRow { x: d_inner.div_ceil(PER_CHANNEL), rows: Rows::Tokens },
        }
    }

    pub fn split_dt_b_c(&self, step: &Step, eps: Option<f32>) -> LoweredDispatch {
        let Operands { reads: [dbc], weights: [], state: [], writes: [dt, bc] } = step.operands();
        let (dt_rank, d_state) = (self.width(dt), self.width(bc) / 2);
        let params = params::SplitDtBC { dt_rank: dt_rank as u32, eps: eps.unwrap_or(0.0) };
        let (variant, dt) = self.writing(dt, self.gpu.row_workgroup().min(PER_CHANNEL));
        LoweredDispatch {
            kernel: &SPLIT_DT_B_C,
            variant: Variant { d_state, norm_dt_b_c: eps.is_some(), ..variant },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(dbc), self.plain(bc), dt],
            grid: Grid::PerRow { x: 1, rows: Rows::Tokens },
        }
    }

    pub fn selective_scan(&self, step: &Step) -> LoweredDispatch {
        let Operands { reads: [x, dt, bc, xz], weights: [_, a, _], state: [s], writes: [out] } = step.operands();
        let (d_inner, d_state) = (self.width(out), self.weight(a).columns);
        let [dt, bc, x, xz] = [dt, bc, x, xz].map(|id| self.plain(id));
        let scan = PrefillScan::of(self.gpu, self.gpu.subgroup(SCAN_LANES), d_state);
        let subgroup = self.gpu.subgroup(scan.channels * scan.lanes);
        let (pack, state) = (self.storage.pack(step), self.storage.state(s).clone());
        let (variant, out) = self.writing(out, PER_CHANNEL);
        LoweredDispatch {
            kernel: &SELECTIVE_SCAN,
            variant: Variant { prefill_scan: scan, subgroup, d_state, ..variant },
            params: bytemuck::bytes_of(&params::SelectiveScan { d_inner: d_inner as u32 }).to_vec(),
            buffers: vec![dt, pack, self.values(a), bc, x, xz, state, out],
            grid: Grid::PerSequence { x: d_inner.div_ceil(scan.channels) },
        }
    }

    /// A dispatch for each mixture: all of them at once would bind more buffers than WebGPU promises.
    pub fn token_shift(&self, step: &Step) -> Vec<LoweredDispatch> {
        let (x, mu, state) = (step.reads[0], self.values(step.weights[0]), self.storage.state(step.state[0]));
        let lower = |(mixture, &out)| {
            let params = params::TokenShift {
                width: self.width(x) as u32,
                mixture: mixture as u32,
                moves: (mixture + 1 == step.writes.len()).into(),
            };
            let (variant, buffer) = self.writing(out, PER_CHANNEL);
            LoweredDispatch {
                kernel: &TOKEN_SHIFT,
                variant,
                params: bytemuck::bytes_of(&params).to_vec(),
                buffers: vec![self.plain(x), mu.clone(), state.clone(), buffer],
                grid: self.grid_of_runs(out),
            }
        };
        step.writes.iter().enumerate().map(lower).collect()
    }

    pub fn wkv7(&self, step: &Step, eps: f32) -> LoweredDispatch {
        let Operands { reads: [r, w, k, v, a], weights: [_, _, _, _, _, _, _], state: [s], writes: [out] } =
            step.operands();
        let (columns, head_size) = (self.width(out), self.network.state[s.0].columns);
        let [r, w, k, v, a] = [r, w, k, v, a].map(|id| self.plain(id));
        let scan = WkvScan::of(self.gpu, self.gpu.subgroup(SCAN_LANES), head_size);
        let (variant, out) = self.writing(out, scan.workgroup(head_size));
        LoweredDispatch {
            kernel: &WKV7,
            variant: Variant { wkv_scan: scan, head_size, ..variant },
            params: bytemuck::bytes_of(&params::Wkv7 { columns: columns as u32, eps }).to_vec(),
            buffers: vec![r, w, k, v, a, self.storage.pack(step), self.storage.state(s).clone(), out],
            grid: Grid::PerSequence { x: columns / head_size },
        }
    }
}
