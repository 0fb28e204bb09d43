//! The fused kernels of decode, one token of one sequence: each dispatch runs several steps, or a product by itself whose input
//! a fused kernel left in a form of its own. [`super::fusion`] says where they apply.

use super::dispatch::{Grid, LoweredDispatch};
use super::steps::Lowering;
use crate::executor::Activations;
use crate::gpu::kernels::{DT_SCAN, DecodeScan, IN_PROJECT, LaneGroups, MATVEC, OUT_PROJECT, RUN_LEN, Variant, params};
use crate::gpu::resources::{DeviceWeight, Shard};
use crate::model::{BufferId, Operands, Step};

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
        let state = self.storage.state(past).clone();
        let written = [state, self.plain(xz), self.plain(out)];
        let lane_groups = LaneGroups::for_rows(self.gpu, shard.rows, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(lane_groups.lanes);
        LoweredDispatch {
            kernel: &IN_PROJECT,
            variant: Variant { lane_groups, subgroup, d_conv, ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: [shard.buffer.clone(), self.acts(h), taps, bias].into_iter().chain(written).collect(),
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
        let (pack, state) = (self.storage.pack(scan), self.storage.state(s).clone());
        let read = [shard.buffer.clone(), self.plain(dbc), pack, self.values(a), self.plain(x), self.plain(xz)];
        let subgroup = self.gpu.subgroup(shape.channels * shape.lanes);
        let (out_layout, out) = self.written(out);
        let variant = Variant { out_layout, ..self.variant(weight.dtype, weight.columns, d_inner) };
        LoweredDispatch {
            kernel: &DT_SCAN,
            variant: Variant { decode_scan: shape, subgroup, d_state, norm_dt_b_c: eps.is_some(), ..variant },
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
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.acts(y), self.values(norm), self.plain(x), self.acts(h)],
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
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), x, self.plain(out)],
            grid: Grid::Fixed { x: shard.rows.div_ceil(lane_groups.workgroup_rows()) },
        }
    }
}
