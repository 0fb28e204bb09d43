//! The fused kernels of decode, one token of one sequence: each dispatch runs several steps, or a product by itself whose input
//! a fused kernel left in a form of its own. [`super::fusion`] says where they apply.

use super::dispatch::{Grid, LoweredDispatch};
use super::steps::Lowering;
use crate::executor::Activations;
use crate::gpu::kernels::{
    DT_SCAN, DecodeScan, FUNCTION_PROJECT, IN_PROJECT, LaneGroups, MATVEC, MAX_MIXTURES, OUT_PROJECT, RUN_LEN,
    SHIFT_NORM, Variant, params,
};
use crate::gpu::resources::{Bound, DeviceWeight, Shard};
use crate::model::{BufferId, Function, Op, Operands, Step};

/// The form in which a buffer holds its values at some point of decode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// As f32 alone.
    F32,
    /// As activations of products. With `norm_eps` they still lack the norm's factor `1 / sqrt(mean(x^2) + eps)`: their reader adds
    /// up the squares and applies it.
    Activations { norm_eps: Option<f32> },
}

impl Form {
    /// The epsilon of a norm whose factor the reader is to apply.
    pub fn norm_eps(self) -> Option<f32> {
        match self {
            Self::F32 => None,
            Self::Activations { norm_eps } => norm_eps,
        }
    }
}

impl Lowering<'_> {
    fn run_variant(&self, weight: &DeviceWeight, out_columns: usize) -> Variant {
        let lane_groups = LaneGroups::for_run(self.gpu, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(lane_groups.lanes);
        Variant { lane_groups, subgroup, ..self.variant(weight.dtype, weight.columns, out_columns) }
    }

    pub fn in_project(
        &self,
        weight: &DeviceWeight,
        shard: &Shard,
        h: BufferId,
        norm_eps: Option<f32>,
        conv: &Step,
    ) -> LoweredDispatch {
        let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [out] } = conv.operands();
        let params = params::InProject {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(h) as u32,
            scaled: norm_eps.is_some().into(),
            d_inner: self.width(out) as u32,
            eps: norm_eps.unwrap_or(0.0),
        };
        let d_conv = self.weight(taps).columns;
        let (taps, bias) = (self.values(taps), self.values(bias));
        let state = self.state(past);
        let written = [state, self.plain(xz), self.plain(out)];
        let lane_groups = LaneGroups::for_rows(self.gpu, shard.rows, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(lane_groups.lanes);
        LoweredDispatch {
            kernel: &IN_PROJECT,
            variant: Variant { lane_groups, subgroup, d_conv, ..self.variant(weight.dtype, weight.columns, 1) },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: [shard.bound(), self.acts(h), taps, bias].into_iter().chain(written).collect(),
            grid: Grid::Fixed { x: shard.rows.div_ceil(lane_groups.workgroup_rows()) },
        }
    }

    pub fn dt_scan(
        &self,
        weight: &DeviceWeight,
        shard: &Shard,
        (split, eps): (&Step, Option<f32>),
        scan: &Step,
        shape: DecodeScan,
    ) -> LoweredDispatch {
        let dbc = split.reads[0];
        let Operands { reads: [x, _, _, xz], weights: [_, a, _], state: [s], writes: [out] } = scan.operands();
        let (d_inner, d_state) = (self.width(out), self.weight(a).columns);
        let params = params::DtScan {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            d_inner: d_inner as u32,
            eps: eps.unwrap_or(0.0),
        };
        let (pack, state) = (self.storage.pack(scan), self.state(s));
        let read = [shard.bound(), self.plain(dbc), pack, self.values(a), self.plain(x), self.plain(xz)];
        let subgroup = self.gpu.subgroup(shape.channels * shape.lanes);
        let (out_layout, out) = self.written(out);
        let variant = Variant { out_layout, ..self.variant(weight.dtype, weight.columns, d_inner) };
        LoweredDispatch {
            kernel: &DT_SCAN,
            variant: Variant { decode_scan: shape, subgroup, d_state, norm_dt_b_c: eps.is_some(), ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: read.into_iter().chain([state, out]).collect(),
            grid: Grid::Fixed { x: shard.rows.div_ceil(shape.channels) },
        }
    }

    pub fn out_project(&self, weight: &DeviceWeight, shard: &Shard, product: &Step, norm: &Step) -> LoweredDispatch {
        let Operands { reads: [y], weights: [_], state: [], writes: [x] } = product.operands();
        let Operands { reads: [_], weights: [norm], state: [], writes: [h] } = norm.operands();
        let params = params::OutProject { rows: shard.rows as u32, first_row: shard.first_row as u32 };
        LoweredDispatch {
            kernel: &OUT_PROJECT,
            variant: self.run_variant(weight, self.width(x)),
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.bound(), self.acts(y), self.values(norm), self.plain(x), self.acts(h)],
            grid: Grid::Fixed { x: shard.rows.div_ceil(RUN_LEN) },
        }
    }

    pub fn matvec(&self, weight: &DeviceWeight, shard: &Shard, product: &Step, form: Form) -> LoweredDispatch {
        let Operands { reads: [x], weights: [_], state: [], writes: [out] } = product.operands();
        let norm_eps = form.norm_eps();
        let params = params::MatVec {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(x) as u32,
            scaled: norm_eps.is_some().into(),
            eps: norm_eps.unwrap_or(0.0),
            out_stride: self.width(out) as u32,
            accumulate: (product.op == Op::MatMul { accumulate: true }).into(),
        };
        let (activations, x) = match form {
            Form::F32 => (Activations::F32, self.plain(x)),
            Form::Activations { .. } => (self.activations, self.acts(x)),
        };
        let lane_groups = LaneGroups::for_rows(self.gpu, shard.rows, weight.columns, activations);
        let subgroup = self.gpu.subgroup(lane_groups.lanes);
        let variant = self.variant(weight.dtype, weight.columns, 1);
        LoweredDispatch {
            kernel: &MATVEC,
            variant: Variant { lane_groups, subgroup, activations, ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.bound(), x, self.plain(out)],
            grid: Grid::Fixed { x: shard.rows.div_ceil(lane_groups.workgroup_rows()) },
        }
    }

    /// None where the mixtures are not planes of one buffer, or too many.
    pub fn shift_norm(&self, norm: &Step, eps: f32, shift: &Step) -> Option<LoweredDispatch> {
        let Operands { reads: [x], weights: [weight, bias], state: [], writes: [_] } = norm.operands();
        if shift.writes.len() > MAX_MIXTURES {
            return None;
        }
        let (variant, single) = self.writing(shift.output(), self.gpu.row_workgroup());
        let (out, plane_rows) = match shift.writes.len() {
            1 => (single, 0),
            _ => self.storage.planes(&shift.writes)?,
        };
        let width = self.width(x);
        let params = params::ShiftNorm { width: width as u32, plane_rows: plane_rows as u32, eps };
        let vectors = [weight, bias, shift.weights[0]].map(|id| self.values(id));
        Some(LoweredDispatch {
            kernel: &SHIFT_NORM,
            variant: Variant { mixtures: shift.writes.len(), ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: [self.plain(x)].into_iter().chain(vectors).chain([self.state(shift.state[0]), out]).collect(),
            grid: Grid::Fixed { x: width.div_ceil(RUN_LEN * RUN_LEN) },
        })
    }

    /// The variant of a product whose workgroups own a run of rows, and what it writes.
    fn run_writing(&self, weight: &DeviceWeight, out: BufferId) -> (Variant, Bound) {
        let (out_layout, buffer) = self.written(out);
        (Variant { out_layout, ..self.run_variant(weight, self.width(out)) }, buffer)
    }

    pub fn function_project(
        &self,
        weight: &DeviceWeight,
        shard: &Shard,
        x: BufferId,
        function: Option<Function>,
        out: BufferId,
    ) -> LoweredDispatch {
        let params = params::FunctionProject { rows: shard.rows as u32, first_row: shard.first_row as u32 };
        let (variant, out) = self.run_writing(weight, out);
        LoweredDispatch {
            kernel: &FUNCTION_PROJECT,
            variant: Variant { function, ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.bound(), self.acts(x), out],
            grid: Grid::Fixed { x: shard.rows.div_ceil(RUN_LEN) },
        }
    }
}
