//! A plan's steps as dispatches before they have pipelines and bind groups: which kernel, composed for what, over which
//! buffers.

use super::kernels::{
    CONV1D_SILU, EMBED, Kernel, MATMUL, MATMUL_Q8, MATVEC, MATVEC_MANY, RMS_NORM, SELECTIVE_SCAN, SPLIT_DT_B_C, Variant,
};
use super::shape::{AT_ONCE_WORKGROUP, MANY_ROWS, SOME_ROWS, Scan, Team, Tile};
use super::storage::Storage;
use super::units::has_quants;
use super::weights::{DeviceWeight, Shard};
use super::{Gpu, params};
use crate::executor::Activations;
use crate::model::{BufferId, Network, Op, Operands, Rows, Step, WeightId};
use crate::quant::{DType, UNIT_LEN};

/// Channels, or units, of one workgroup of the kernels that give an invocation one.
const PER_CHANNEL: usize = 64;

/// A dispatch before its parameters have an address.
pub struct Draft {
    pub kernel: &'static Kernel,
    pub variant: Variant,
    pub params: Vec<u8>,
    pub buffers: Vec<wgpu::Buffer>,
    pub shape: Shape,
}

impl Draft {
    /// The variants that it runs for many tokens and for few: a product's differ.
    pub fn variants(&self) -> [Variant; 2] {
        let few = match self.shape {
            Shape::Product { few: Some(tile), .. } => Variant { tile, ..self.variant },
            _ => self.variant,
        };
        [self.variant, few]
    }
}

/// How many workgroups, given what is run this time.
pub enum Shape {
    /// `(x, 1, 1)`.
    Fixed { x: usize },
    /// `(x, rows, 1)`.
    PerRow { x: usize, rows: Rows },
    /// `(x, sequences, 1)`.
    PerSequence { x: usize },
    /// A matrix product of `out_rows` rows of weights: the draft's variant is tiled for many tokens, `few` for few; none where
    /// another dispatch takes these.
    Product { out_rows: usize, rows: Rows, few: Option<Tile> },
    /// `(x, rows, 1)` for few tokens, and nothing for many.
    Few { x: usize },
    /// `(x, 1, 1)` for few tokens, and nothing for many.
    FewAtOnce { x: usize },
}

/// How a product serves up to [`Tile::FEW_TOKENS`] tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Few {
    /// In small tiles.
    Tiles,
    /// Each token by itself.
    OneByOne,
    /// All together, row by row.
    AtOnce,
}

/// Drafts the dispatches of steps, each by itself: prefill.
pub struct Drafter<'a> {
    pub gpu: &'a Gpu,
    pub network: &'a Network,
    pub weights: &'a [DeviceWeight],
    pub storage: &'a Storage,
    pub activations: Activations,
}

impl Drafter<'_> {
    pub(super) fn weight(&self, id: WeightId) -> &DeviceWeight {
        &self.weights[id.0]
    }

    /// An elementwise weight, which is never sharded.
    pub(super) fn values(&self, id: WeightId) -> wgpu::Buffer {
        self.weight(id).shards[0].buffer.clone()
    }

    pub(super) fn plain(&self, id: BufferId) -> wgpu::Buffer {
        self.storage.buffer(id).plain()
    }

    pub(super) fn acts(&self, id: BufferId) -> wgpu::Buffer {
        self.storage.buffer(id).acts()
    }

    pub(super) fn width(&self, id: BufferId) -> usize {
        self.network.plan.buffer(id).width
    }

    /// What all kernels share; `columns` of weights of `dtype`, `out_columns` of activations written.
    pub(super) fn variant(&self, dtype: DType, columns: usize, out_columns: usize) -> Variant {
        Variant {
            dtype,
            columns,
            activations: self.activations,
            out_columns,
            workgroup: PER_CHANNEL,
            ..Variant::of(dtype, self.activations)
        }
    }

    /// The variant of a kernel that has no weights.
    fn weightless(&self, out_columns: usize, workgroup: usize) -> Variant {
        let subgroup = self.gpu.subgroup(workgroup);
        Variant { workgroup, subgroup, ..self.variant(DType::F32, 1, out_columns) }
    }

    /// The dispatches of one step, one a shard.
    pub fn step(&self, step: &Step) -> Vec<Draft> {
        match step.op {
            Op::Embed => self.sharded(step.weights[0], |w, shard| self.embed(w, shard, step.output())),
            Op::RmsNorm { eps } => vec![self.rms_norm(step, eps)],
            Op::MatMul { accumulate } => self.matmul(step, accumulate),
            Op::Conv1dSilu => vec![self.conv1d_silu(step)],
            Op::SplitDtBC { eps } => vec![self.split_dt_b_c(step, eps)],
            Op::SelectiveScan => vec![self.selective_scan(step)],
        }
    }

    fn matmul(&self, step: &Step, accumulate: bool) -> Vec<Draft> {
        let Operands { reads: [x], weights: [weight], state: [], writes: [out] } = step.operands();
        let mut drafts = self.sharded(weight, |w, shard| self.product((weight, w), shard, x, out, accumulate));
        match self.few(weight, out, accumulate) {
            Few::Tiles => {}
            Few::OneByOne => drafts.extend(self.sharded(weight, |w, shard| self.one_by_one(w, shard, x, out))),
            Few::AtOnce => drafts.extend(self.sharded(weight, |w, shard| self.at_once(w, shard, x, out, accumulate))),
        }
        drafts
    }

    pub(super) fn sharded(&self, id: WeightId, draft: impl Fn(&DeviceWeight, &Shard) -> Draft) -> Vec<Draft> {
        let weight = self.weight(id);
        weight.shards.iter().map(|shard| draft(weight, shard)).collect()
    }

    fn embed(&self, weight: &DeviceWeight, shard: &Shard, out: BufferId) -> Draft {
        let params = params::Embed {
            width: weight.columns as u32,
            first_row: shard.first_row as u32,
            rows: shard.rows as u32,
            row_vectors: weight.row_vectors as u32,
        };
        Draft {
            kernel: &EMBED,
            variant: self.variant(weight.dtype, weight.columns, 1),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.storage.tokens.clone(), self.plain(out)],
            shape: Shape::PerRow { x: weight.columns.div_ceil(UNIT_LEN * PER_CHANNEL), rows: Rows::Tokens },
        }
    }

    fn rms_norm(&self, step: &Step, eps: f32) -> Draft {
        let Operands { reads: [x], weights: [weight], state: [], writes: [out] } = step.operands();
        let rows = self.network.plan.buffer(out).rows;
        let width = self.width(x);
        let params = params::RmsNorm { width: width as u32, to_outputs: (rows == Rows::Outputs).into(), eps };
        Draft {
            kernel: &RMS_NORM,
            variant: self.weightless(width, self.gpu.row_workgroup()),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(x), self.values(weight), self.acts(out)],
            shape: Shape::PerRow { x: 1, rows },
        }
    }

    fn product(
        &self,
        (id, weight): (WeightId, &DeviceWeight),
        shard: &Shard,
        x: BufferId,
        out: BufferId,
        accumulate: bool,
    ) -> Draft {
        let integers = self.multiplies_integers(weight);
        let few = (self.few(id, out, accumulate) == Few::Tiles).then(|| Tile::few(self.gpu, integers));
        Draft {
            kernel: if integers { &MATMUL_Q8 } else { &MATMUL },
            variant: Variant { tile: Tile::many(self.gpu, integers), ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&self.matmul_params(shard, out, accumulate)).to_vec(),
            buffers: vec![shard.buffer.clone(), self.acts(x), self.plain(out)],
            shape: Shape::Product { out_rows: shard.rows, rows: self.network.plan.buffer(out).rows, few },
        }
    }

    fn matmul_params(&self, shard: &Shard, out: BufferId, accumulate: bool) -> params::MatMul {
        params::MatMul {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            out_stride: self.width(out) as u32,
            accumulate: accumulate.into(),
            to_outputs: (self.network.plan.buffer(out).rows == Rows::Outputs).into(),
        }
    }

    fn multiplies_integers(&self, weight: &DeviceWeight) -> bool {
        self.activations == Activations::Q8 && has_quants(weight.dtype)
    }

    /// How few tokens are served: tiles of a matrix of few rows would leave a large GPU idle.
    fn few(&self, weight: WeightId, out: BufferId, accumulate: bool) -> Few {
        let of_tokens = self.network.plan.buffer(out).rows == Rows::Tokens;
        let weight = self.weight(weight);
        let rows: usize = weight.shards.iter().map(|shard| shard.rows).sum();
        match () {
            () if self.gpu.software || !of_tokens => Few::Tiles,
            () if rows < MANY_ROWS && !accumulate => Few::OneByOne,
            () if rows <= SOME_ROWS && self.multiplies_integers(weight) && self.gpu.subgroup(32) >= 4 => Few::AtOnce,
            () => Few::Tiles,
        }
    }

    fn at_once(&self, weight: &DeviceWeight, shard: &Shard, x: BufferId, out: BufferId, accumulate: bool) -> Draft {
        let subgroup = self.gpu.subgroup(32);
        Draft {
            kernel: &MATVEC_MANY,
            variant: Variant { subgroup, ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&self.matmul_params(shard, out, accumulate)).to_vec(),
            buffers: vec![shard.buffer.clone(), self.acts(x), self.plain(out)],
            shape: Shape::FewAtOnce { x: shard.rows.div_ceil(2 * AT_ONCE_WORKGROUP / subgroup) },
        }
    }

    fn one_by_one(&self, weight: &DeviceWeight, shard: &Shard, x: BufferId, out: BufferId) -> Draft {
        let params = params::MatVec {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(x) as u32,
            scaled: 0,
            eps: 0.0,
            out_stride: self.width(out) as u32,
        };
        let team = Team::of_rows(self.gpu, shard.rows, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(team.lanes);
        Draft {
            kernel: &MATVEC,
            variant: Variant { team, subgroup, ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.acts(x), self.plain(out)],
            shape: Shape::Few { x: shard.rows.div_ceil(team.group_rows()) },
        }
    }

    fn conv1d_silu(&self, step: &Step) -> Draft {
        let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [out] } = step.operands();
        let d_inner = self.width(out);
        let params = params::Conv1dSilu { d_inner: d_inner as u32, stride: self.width(xz) as u32 };
        let (d_conv, state) = (self.weight(taps).columns, self.storage.states.get(past).clone());
        let (taps, bias) = (self.values(taps), self.values(bias));
        Draft {
            kernel: &CONV1D_SILU,
            variant: Variant { d_conv, ..self.weightless(d_inner, PER_CHANNEL) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(xz), taps, bias, state, self.plain(out), self.acts(out)],
            shape: Shape::PerRow { x: d_inner.div_ceil(PER_CHANNEL), rows: Rows::Tokens },
        }
    }

    fn split_dt_b_c(&self, step: &Step, eps: Option<f32>) -> Draft {
        let Operands { reads: [dbc], weights: [], state: [], writes: [dt, bc] } = step.operands();
        let (dt_rank, d_state) = (self.width(dt), self.width(bc) / 2);
        let params = params::SplitDtBC { dt_rank: dt_rank as u32, eps: eps.unwrap_or(0.0) };
        let workgroup = self.gpu.row_workgroup().min(PER_CHANNEL);
        Draft {
            kernel: &SPLIT_DT_B_C,
            variant: Variant { d_state, norm_dt_b_c: eps.is_some(), ..self.weightless(dt_rank, workgroup) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(dbc), self.plain(bc), self.acts(dt)],
            shape: Shape::PerRow { x: 1, rows: Rows::Tokens },
        }
    }

    fn selective_scan(&self, step: &Step) -> Draft {
        let Operands { reads: [x, dt, bc, xz], weights: [_, a, _], state: [s], writes: [out] } = step.operands();
        let (d_inner, d_state) = (self.width(out), self.weight(a).columns);
        let [dt, bc, x, xz] = [dt, bc, x, xz].map(|id| self.plain(id));
        let scan = Scan::of(self.gpu, self.gpu.subgroup(RUN_LANES), d_state);
        let subgroup = self.gpu.subgroup(scan.channels * scan.lanes);
        let (joined, state) = (self.storage.joined(step), self.storage.states.get(s).clone());
        Draft {
            kernel: &SELECTIVE_SCAN,
            variant: Variant { scan, subgroup, d_state, ..self.weightless(d_inner, PER_CHANNEL) },
            params: bytemuck::bytes_of(&params::SelectiveScan { d_inner: d_inner as u32 }).to_vec(),
            buffers: vec![dt, joined, self.values(a), bc, x, xz, state, self.acts(out)],
            shape: Shape::PerSequence { x: d_inner.div_ceil(scan.channels) },
        }
    }
}

/// The lanes of a channel in the scan, where shuffles can sum them.
const RUN_LANES: usize = 4;
