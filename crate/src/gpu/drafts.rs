//! A plan's steps as dispatches before they have pipelines and bind groups: which kernel, composed for what, over which
//! buffers.

use super::kernels::{
    CONV1D_SILU, EMBED, Kernel, MATMUL, MATMUL_Q8, MATVEC, RMS_NORM, SELECTIVE_SCAN, SPLIT_DT_B_C, Variant,
};
use super::shape::{DecodeScan, MANY_ROWS, Scan, Team, Tile};
use super::storage::Storage;
use super::units::has_quants;
use super::weights::{DeviceWeight, Shard};
use super::{Gpu, params};
use crate::executor::Activations;
use crate::model::{BufferId, Config, Plan, Rows, Step, WeightId};
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

/// How many workgroups, given what is run this time.
pub enum Shape {
    /// `(x, 1, 1)`.
    Fixed { x: usize },
    /// `(x, rows, 1)`.
    PerRow { x: usize, rows: Rows },
    /// `(x, sequences, 1)`.
    PerSequence { x: usize },
    /// A matrix product of `out_rows` rows of weights: the draft's variant is tiled for many tokens, `few` for few; none where
    /// a [`Shape::Few`] takes these.
    Product { out_rows: usize, rows: Rows, few: Option<Tile> },
    /// `(x, rows, 1)` for few tokens, and nothing for many.
    Few { x: usize },
}

/// Drafts the dispatches of steps, each by itself: prefill.
pub struct Drafter<'a> {
    pub gpu: &'a Gpu,
    pub config: &'a Config,
    pub plan: &'a Plan,
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
        self.plan.buffer(id).width
    }

    /// What all kernels share; `columns` of weights of `dtype`, `out_columns` of activations written.
    pub(super) fn variant(&self, dtype: DType, columns: usize, out_columns: usize) -> Variant {
        let Config { d_state, d_conv, norm_dt_b_c, .. } = *self.config;
        Variant {
            dtype,
            columns,
            activations: self.activations,
            out_columns,
            d_state,
            d_conv,
            norm_dt_b_c,
            subgroup: 1,
            team: Team::default(),
            tile: Tile::default(),
            decode_scan: DecodeScan::default(),
            scan: Scan::default(),
            workgroup: PER_CHANNEL,
        }
    }

    /// The variant of a kernel that has no weights.
    fn weightless(&self, out_columns: usize, workgroup: usize) -> Variant {
        let subgroup = self.gpu.subgroup(workgroup);
        Variant { workgroup, subgroup, ..self.variant(DType::F32, 1, out_columns) }
    }

    /// The dispatches of one step, one a shard.
    pub fn step(&self, step: &Step) -> Vec<Draft> {
        match *step {
            Step::Embed { table, out } => self.sharded(table, |w, shard| self.embed(w, shard, out)),
            Step::RmsNorm { x, weight, eps, out } => vec![self.rms_norm(x, weight, eps, out)],
            Step::MatMul { weight, x, out, accumulate } => {
                let mut drafts = self.sharded(weight, |w, shard| self.product((weight, w), shard, x, out, accumulate));
                if self.makes_few_tiles(weight, out, accumulate) {
                    let few = |w: &_, shard: &_| self.few_products(w, shard, x, out);
                    drafts.extend(self.sharded(weight, few));
                }
                drafts
            }
            Step::Conv1dSilu { xz, weight, bias, layer, out } => vec![self.conv1d_silu(xz, weight, bias, layer, out)],
            Step::SplitDtBC { dbc, eps, dt, bc } => vec![self.split_dt_b_c(dbc, eps, dt, bc)],
            Step::SelectiveScan { x, dt, a, bc, xz, layer, out, .. } => {
                vec![self.selective_scan(&[dt, bc, x, xz], a, layer, out)]
            }
        }
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

    fn rms_norm(&self, x: BufferId, weight: WeightId, eps: f32, out: BufferId) -> Draft {
        let rows = self.plan.buffer(out).rows;
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
        let rows = self.plan.buffer(out).rows;
        let params = params::MatMul {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            out_stride: self.width(out) as u32,
            accumulate: accumulate.into(),
            to_outputs: (rows == Rows::Outputs).into(),
        };
        let integers = self.activations == Activations::Q8 && has_quants(weight.dtype);
        let few = (!self.makes_few_tiles(id, out, accumulate)).then(|| Tile::few(self.gpu, integers));
        Draft {
            kernel: if integers { &MATMUL_Q8 } else { &MATMUL },
            variant: Variant { tile: Tile::many(self.gpu, integers), ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.acts(x), self.plain(out)],
            shape: Shape::Product { out_rows: shard.rows, rows, few },
        }
    }

    /// True where a matrix has so few rows that few tokens would leave a large GPU idle.
    fn makes_few_tiles(&self, weight: WeightId, out: BufferId, accumulate: bool) -> bool {
        let of_tokens = self.plan.buffer(out).rows == Rows::Tokens;
        let rows: usize = self.weight(weight).shards.iter().map(|shard| shard.rows).sum();
        of_tokens && rows < MANY_ROWS && !accumulate && !self.gpu.software
    }

    /// The products of few tokens with a matrix of few rows, one by one.
    fn few_products(&self, weight: &DeviceWeight, shard: &Shard, x: BufferId, out: BufferId) -> Draft {
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

    fn conv1d_silu(&self, xz: BufferId, weight: WeightId, bias: WeightId, layer: usize, out: BufferId) -> Draft {
        let d_inner = self.config.d_inner;
        let (weight, bias) = (self.values(weight), self.values(bias));
        let state = self.storage.states.conv[layer].clone();
        Draft {
            kernel: &CONV1D_SILU,
            variant: self.weightless(d_inner, PER_CHANNEL),
            params: bytemuck::bytes_of(&params::Conv1dSilu { d_inner: d_inner as u32 }).to_vec(),
            buffers: vec![self.plain(xz), weight, bias, state, self.plain(out), self.acts(out)],
            shape: Shape::PerRow { x: d_inner.div_ceil(PER_CHANNEL), rows: Rows::Tokens },
        }
    }

    fn split_dt_b_c(&self, dbc: BufferId, eps: Option<f32>, dt: BufferId, bc: BufferId) -> Draft {
        let dt_rank = self.config.dt_rank;
        let params = params::SplitDtBC { dt_rank: dt_rank as u32, eps: eps.unwrap_or(0.0) };
        let workgroup = self.gpu.row_workgroup().min(PER_CHANNEL);
        Draft {
            kernel: &SPLIT_DT_B_C,
            variant: self.weightless(dt_rank, workgroup),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(dbc), self.plain(bc), self.acts(dt)],
            shape: Shape::PerRow { x: 1, rows: Rows::Tokens },
        }
    }

    /// `read` are dt, bc, x and xz.
    fn selective_scan(&self, read: &[BufferId; 4], a: WeightId, layer: usize, out: BufferId) -> Draft {
        let Config { d_inner, d_state, .. } = *self.config;
        let [dt, bc, x, xz] = read.map(|id| self.plain(id));
        let scan = Scan::of(self.gpu, self.gpu.subgroup(RUN_LANES), d_state);
        let subgroup = self.gpu.subgroup(scan.channels * scan.lanes);
        let (bias_d, state) = (self.storage.bias_d[layer].clone(), self.storage.states.ssm[layer].clone());
        Draft {
            kernel: &SELECTIVE_SCAN,
            variant: Variant { scan, subgroup, ..self.weightless(d_inner, PER_CHANNEL) },
            params: bytemuck::bytes_of(&params::SelectiveScan { d_inner: d_inner as u32 }).to_vec(),
            buffers: vec![dt, bias_d, self.values(a), bc, x, xz, state, self.acts(out)],
            shape: Shape::PerSequence { x: d_inner.div_ceil(scan.channels) },
        }
    }
}

/// The lanes of a channel in the scan, where shuffles can sum them.
const RUN_LANES: usize = 4;
