//! Steps that carry a state from token to token, and the split of what Mamba's scan reads.

use super::dispatch::{Grid, LoweredDispatch};
use super::steps::{Lowering, PER_CHANNEL};
use crate::gpu::kernels::{
    CONV1D_SILU, Layout, PrefillScan, SELECTIVE_SCAN, SPLIT_DT_B_C, TOKEN_SHIFT, Variant, WKV7, WKV7_GATE, WKV7_NORM,
    WkvScan, params,
};
use crate::gpu::resources::Bound;
use crate::model::{BufferId, Operands, Rows, StateId, Step};
use crate::quant::DType;

/// The lanes of a channel, where shuffles can sum them.
const SCAN_LANES: usize = 4;

impl Lowering<'_> {
    pub fn conv1d_silu(&self, step: &Step) -> LoweredDispatch {
        let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [out] } = step.operands();
        let d_inner = self.width(out);
        let params = params::Conv1dSilu { d_inner: d_inner as u32, stride: self.width(xz) as u32 };
        let (d_conv, state) = (self.weight(taps).columns, self.state(past));
        let (taps, bias) = (self.values(taps), self.values(bias));
        let (variant, _) = self.writing(out, PER_CHANNEL);
        LoweredDispatch {
            kernel: &CONV1D_SILU,
            // Beside the plain form, which it always writes.
            variant: Variant { d_conv, out_layout: Layout::Activations, ..variant },
            kinds: Vec::new(),
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
            kinds: Vec::new(),
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
        let (pack, state) = (self.storage.pack(step), self.state(s));
        let (variant, out) = self.writing(out, PER_CHANNEL);
        LoweredDispatch {
            kernel: &SELECTIVE_SCAN,
            variant: Variant { prefill_scan: scan, subgroup, d_state, ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::SelectiveScan { d_inner: d_inner as u32 }).to_vec(),
            buffers: vec![dt, pack, self.values(a), bc, x, xz, state, out],
            grid: Grid::PerSequence { x: d_inner.div_ceil(scan.channels) },
        }
    }

    /// One dispatch where the mixtures are planes of one buffer. Else one for each: all of them at once would bind more buffers than
    /// WebGPU promises.
    pub fn token_shift(&self, step: &Step) -> Vec<LoweredDispatch> {
        let (x, mu, state) = (step.reads[0], self.values(step.weights[0]), self.state(step.state[0]));
        let all = step.writes.len();
        let lower = |mixture, mixtures, out, planes: Option<(Bound, usize)>| {
            let (variant, buffer) = self.writing(out, PER_CHANNEL);
            let (buffer, plane_rows) = planes.unwrap_or((buffer, 0));
            let params = params::TokenShift {
                width: self.width(x) as u32,
                mixture: mixture as u32,
                plane_rows: plane_rows as u32,
                moves: (mixture + mixtures == all).into(),
            };
            LoweredDispatch {
                kernel: &TOKEN_SHIFT,
                variant: Variant { mixtures, ..variant },
                kinds: Vec::new(),
                params: bytemuck::bytes_of(&params).to_vec(),
                buffers: vec![self.plain(x), mu.clone(), state.clone(), buffer],
                grid: self.grid_of_runs(out),
            }
        };
        match self.storage.planes(&step.writes) {
            Some(planes) => vec![lower(0, all, step.writes[0], Some(planes))],
            None => step.writes.iter().enumerate().map(|(mixture, &out)| lower(mixture, 1, out, None)).collect(),
        }
    }

    /// The recurrence, and what follows it, in place.
    pub fn wkv7(&self, step: &Step, eps: f32) -> Vec<LoweredDispatch> {
        let Operands { reads, weights: [_, _, _, _, _, _, _], state: [state], writes: [out] } = step.operands();
        let [r, w, k, v, a] = reads.map(|id| self.plain(id));
        let (columns, head_size) = (self.width(out), self.head_size(state));
        let scan = WkvScan::for_chunk(self.wkv_subgroup(), self.gpu.max_invocations.min(256), head_size);
        let (pack, out) = (self.storage.pack(step), self.plain(out));
        let variant = Variant { head_size, workgroup: PER_CHANNEL, ..self.variant(DType::F32, 1, columns) };
        let walk = LoweredDispatch {
            kernel: &WKV7,
            variant: Variant { wkv_scan: scan, ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::Wkv7 { columns: columns as u32 }).to_vec(),
            buffers: vec![r.clone(), w, k.clone(), v.clone(), a.clone(), pack.clone(), self.state(state), out.clone()],
            grid: Grid::PerSequence { x: columns / scan.part },
        };
        let norm = LoweredDispatch {
            kernel: &WKV7_NORM,
            variant,
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::Wkv7Norm { columns: columns as u32, eps }).to_vec(),
            buffers: vec![r, k, v, a, pack, out],
            grid: Grid::PerRow { x: (columns / head_size).div_ceil(4 * PER_CHANNEL / head_size), rows: Rows::Tokens },
        };
        vec![walk, norm]
    }

    /// The recurrence, what follows it, and the product of that with a gate. None where groups of products have not laid together what
    /// it reads.
    pub fn wkv7_gate(&self, step: &Step, eps: f32, gate: BufferId, out: BufferId) -> Option<LoweredDispatch> {
        let Operands { reads, weights: [_, _, _, _, _, _, _], state: [state], writes: [_] } = step.operands();
        let [r, w, k, v, a] = reads.map(|id| self.plain(id));
        let g = self.plain(gate);
        let (early, late) = (Bound::together([&r, &k].into_iter())?, Bound::together([&w, &a, &g].into_iter())?);
        let [r, k, w, a, g] = [r, k, w, a, g].map(|bound| bound.first_vector());
        let (columns, head_size) = (self.width(out), self.head_size(state));
        let params = params::Wkv7Gate { columns: columns as u32, eps, r, k, w, a, g };
        let scan = WkvScan::for_token(self.wkv_subgroup(), self.gpu.max_invocations.min(256), head_size);
        let (variant, out) = self.writing(out, scan.workgroup());
        Some(LoweredDispatch {
            kernel: &WKV7_GATE,
            variant: Variant { wkv_scan: scan, head_size, ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![early, late, v, self.storage.pack(step), self.state(state), out],
            grid: Grid::Fixed { x: columns / head_size },
        })
    }

    fn wkv_subgroup(&self) -> usize {
        if self.gpu.software { 1 } else { self.gpu.subgroup(8) }
    }

    fn head_size(&self, state: StateId) -> usize {
        self.network.state[state.0].columns
    }
}
