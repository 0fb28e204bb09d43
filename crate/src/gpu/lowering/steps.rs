//! A plan's steps as dispatches, each step by itself: every operation has a kernel of its own, for any number of tokens. Here are
//! products and what all steps share; [`super::pointwise`] and [`super::recurrent`] have the rest.

use super::dispatch::{Grid, LoweredDispatch};
use crate::executor::Activations;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{
    EMBED, LaneGroups, Layout, MANY_ROWS, MATMUL, MATMUL_Q8, MATVEC, MATVEC_MANY, MATVEC_MANY_WORKGROUP, MAX_LANES,
    SOME_ROWS, Tile, Variant, has_quants, params,
};
use crate::gpu::resources::{Bound, DeviceWeight, Groups, Shard, Storage, Written, written_by};
use crate::model::{BufferId, Network, Op, Operands, Rows, StateId, Step, WeightId};
use crate::quant::{DType, UNIT_LEN};

/// Channels, or units, of one workgroup of the kernels that give an invocation one.
pub const PER_CHANNEL: usize = 64;

/// Lanes that must be able to shuffle for `matvec_many`.
const MATVEC_MANY_LANES: usize = 4;

/// How a product runs a small batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SmallBatch {
    /// In small tiles.
    Tiled,
    /// By `matvec`, each token by itself.
    PerToken,
    /// By `matvec_many`, all tokens with one reading of a row.
    Together,
}

/// What steps are lowered with: a model's lists, and the weights and buffers that its dispatches bind.
pub struct Lowering<'a> {
    pub gpu: &'a Gpu,
    pub network: &'a Network,
    pub weights: &'a [DeviceWeight],
    pub storage: &'a Storage,
    /// The products that one token of one sequence may run together.
    pub groups: &'a Groups,
    pub activations: Activations,
    /// True for one token of one sequence.
    pub one_token: bool,
}

impl Lowering<'_> {
    pub fn weight(&self, id: WeightId) -> &DeviceWeight {
        &self.weights[id.0]
    }

    /// An elementwise weight, which is never sharded.
    pub fn values(&self, id: WeightId) -> Bound {
        self.weight(id).shards[0].bound()
    }

    pub fn plain(&self, id: BufferId) -> Bound {
        self.storage.buffer(id).in_layout(Layout::Plain, self.one_token)
    }

    pub fn acts(&self, id: BufferId) -> Bound {
        self.storage.buffer(id).acts()
    }

    pub fn state(&self, id: StateId) -> Bound {
        self.storage.state(id).clone().into()
    }

    pub fn width(&self, id: BufferId) -> usize {
        self.network.plan.buffer(id).width
    }

    /// What all kernels share; `columns` of weights of `dtype`, `out_columns` of activations written.
    pub fn variant(&self, dtype: DType, columns: usize, out_columns: usize) -> Variant {
        Variant {
            dtype,
            columns,
            activations: self.activations,
            out_columns,
            workgroup: PER_CHANNEL,
            ..Variant::of(dtype, self.activations)
        }
    }

    /// The variant of a kernel without weights that writes a buffer, and the form of the buffer that it writes.
    pub fn writing(&self, out: BufferId, workgroup: usize) -> (Variant, Bound) {
        let (out_layout, buffer) = self.written(out);
        let subgroup = self.gpu.subgroup(workgroup);
        let variant = self.variant(DType::F32, 1, self.width(out));
        (Variant { workgroup, subgroup, out_layout, ..variant }, buffer)
    }

    /// The layout in which a kernel that can write either writes a buffer, and the buffer in it.
    pub fn written(&self, out: BufferId) -> (Layout, Bound) {
        let buffer = self.storage.buffer(out);
        let layout = buffer.read().to_write();
        (layout, buffer.in_layout(layout, self.one_token))
    }

    /// The layout in which a kernel leaves a buffer.
    pub fn left(&self, id: BufferId, written: Written) -> (BufferId, Layout) {
        match written {
            Written::Plain | Written::Both => (id, Layout::Plain),
            Written::Either => (id, self.storage.buffer(id).read().to_write()),
        }
    }

    /// The dispatches of one step, one a shard, and what leaves each buffer that it writes in every layout that is read.
    pub fn step(&self, step: &Step) -> Vec<LoweredDispatch> {
        let mut dispatches = self.kernels(step);
        let written = step.writes.iter().enumerate();
        dispatches.extend(written.filter_map(|(index, &id)| self.conversion(id, written_by(step.op, index))));
        dispatches
    }

    /// Lays a buffer out as activations, where it is read so and its kernel has not written it so.
    pub fn conversion(&self, id: BufferId, written: Written) -> Option<LoweredDispatch> {
        let lacks = self.storage.buffer(id).read().lacks_activations(written);
        lacks.then(|| self.laid_out_as_activations(id))
    }

    fn kernels(&self, step: &Step) -> Vec<LoweredDispatch> {
        match step.op {
            Op::Embed => self.sharded(step.weights[0], |w, shard| self.embed(w, shard, step.output())),
            Op::RmsNorm { eps } => vec![self.rms_norm(step, eps)],
            Op::MatMul { accumulate } => self.matmul(step, accumulate),
            Op::Conv1dSilu => vec![self.conv1d_silu(step)],
            Op::SplitDtBC { eps } => vec![self.split_dt_b_c(step, eps)],
            Op::SelectiveScan => vec![self.selective_scan(step)],
            Op::LayerNorm { eps } => vec![self.layer_norm(step, eps)],
            Op::TokenShift => self.token_shift(step),
            Op::Elementwise(function) => vec![self.elementwise(step, function)],
            Op::Multiply => vec![self.multiply(step)],
            Op::ValueResidual => vec![self.value_residual(step)],
            Op::Wkv7 { eps } => self.wkv7(step, eps),
        }
    }

    fn matmul(&self, step: &Step, accumulate: bool) -> Vec<LoweredDispatch> {
        let Operands { reads: [x], weights: [weight], state: [], writes: [out] } = step.operands();
        let mut dispatches = self.sharded(weight, |w, shard| self.product((weight, w), shard, x, out, accumulate));
        match self.small_batch(weight, out, accumulate) {
            SmallBatch::Tiled => {}
            SmallBatch::PerToken => {
                dispatches.extend(self.sharded(weight, |w, shard| self.matvec_per_token(w, shard, x, out)))
            }
            SmallBatch::Together => {
                dispatches.extend(self.sharded(weight, |w, shard| self.matvec_many(w, shard, x, out, accumulate)))
            }
        }
        dispatches
    }

    pub fn sharded(
        &self,
        id: WeightId,
        lower: impl Fn(&DeviceWeight, &Shard) -> LoweredDispatch,
    ) -> Vec<LoweredDispatch> {
        let weight = self.weight(id);
        weight.shards.iter().map(|shard| lower(weight, shard)).collect()
    }

    fn embed(&self, weight: &DeviceWeight, shard: &Shard, out: BufferId) -> LoweredDispatch {
        let params = params::Embed {
            width: weight.columns as u32,
            first_row: shard.first_row as u32,
            rows: shard.rows as u32,
            row_vectors: weight.row_vectors as u32,
        };
        LoweredDispatch {
            kernel: &EMBED,
            variant: self.variant(weight.dtype, weight.columns, 1),
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.bound(), self.storage.tokens().clone().into(), self.plain(out)],
            grid: Grid::PerRow { x: weight.columns.div_ceil(UNIT_LEN * PER_CHANNEL), rows: Rows::Tokens },
        }
    }

    fn product(
        &self,
        (id, weight): (WeightId, &DeviceWeight),
        shard: &Shard,
        x: BufferId,
        out: BufferId,
        accumulate: bool,
    ) -> LoweredDispatch {
        let integers = self.multiplies_integers(weight);
        let is_tiled = self.small_batch(id, out, accumulate) == SmallBatch::Tiled;
        let small_batch = is_tiled.then(|| Tile::small_batch(self.gpu, integers, shard.rows));
        LoweredDispatch {
            kernel: if integers { &MATMUL_Q8 } else { &MATMUL },
            variant: Variant {
                tile: Tile::prefill(self.gpu, integers, shard.rows + self.rows_beside(id)),
                ..self.variant(weight.dtype, weight.columns, 1)
            },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&self.matmul_params(shard, out, accumulate)).to_vec(),
            buffers: vec![shard.bound(), self.acts(x), self.plain(out)],
            grid: Grid::Tiled { out_rows: shard.rows, rows: self.network.plan.buffer(out).rows, small_batch },
        }
    }

    /// Rows of the other products that run beside one in a chunk and multiply as it does: those that read what the same step wrote.
    fn rows_beside(&self, id: WeightId) -> usize {
        let steps: Vec<&Step> = self.network.plan.steps().collect();
        let weight_of = |step: &Step| matches!(step.op, Op::MatMul { .. }).then(|| step.weights[0]);
        let Some(at) = steps.iter().position(|step| weight_of(step) == Some(id)) else { return 0 };
        let writes = |step: &Step, buffers: &[BufferId]| step.writes.iter().any(|id| buffers.contains(id));
        let Some(writer) = steps[..at].iter().rposition(|step| writes(step, &steps[at].reads)) else { return 0 };
        let written = &steps[writer].writes;
        let readers = steps[writer + 1..].iter().take_while(|step| !writes(step, written));
        let beside =
            readers.filter(|step| step.reads.iter().any(|id| written.contains(id))).filter_map(|step| weight_of(step));
        let integers = self.multiplies_integers(self.weight(id));
        let beside = beside.filter(|&other| other != id).map(|other| self.weight(other));
        beside.filter(|other| self.multiplies_integers(other) == integers).map(|other| other.rows()).sum()
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

    /// How a product runs a small batch: the tiles of a matrix of few rows would leave a large GPU idle.
    fn small_batch(&self, weight: WeightId, out: BufferId, accumulate: bool) -> SmallBatch {
        let of_tokens = self.network.plan.buffer(out).rows == Rows::Tokens;
        let weight = self.weight(weight);
        let rows = weight.rows();
        match () {
            () if self.gpu.software || !of_tokens => SmallBatch::Tiled,
            () if rows < MANY_ROWS && !accumulate => SmallBatch::PerToken,
            () if rows <= SOME_ROWS
                && self.multiplies_integers(weight)
                && self.gpu.subgroup(MAX_LANES) >= MATVEC_MANY_LANES =>
            {
                SmallBatch::Together
            }
            () => SmallBatch::Tiled,
        }
    }

    fn matvec_many(
        &self,
        weight: &DeviceWeight,
        shard: &Shard,
        x: BufferId,
        out: BufferId,
        accumulate: bool,
    ) -> LoweredDispatch {
        let subgroup = self.gpu.subgroup(MAX_LANES);
        LoweredDispatch {
            kernel: &MATVEC_MANY,
            variant: Variant { subgroup, ..self.variant(weight.dtype, weight.columns, 1) },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&self.matmul_params(shard, out, accumulate)).to_vec(),
            buffers: vec![shard.bound(), self.acts(x), self.plain(out)],
            grid: Grid::SmallBatch { x: shard.rows.div_ceil(2 * MATVEC_MANY_WORKGROUP / subgroup) },
        }
    }

    fn matvec_per_token(&self, weight: &DeviceWeight, shard: &Shard, x: BufferId, out: BufferId) -> LoweredDispatch {
        let params = params::MatVec {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(x) as u32,
            scaled: 0,
            eps: 0.0,
            out_stride: self.width(out) as u32,
            accumulate: 0,
        };
        let lane_groups = LaneGroups::for_rows(self.gpu, shard.rows, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(lane_groups.lanes);
        LoweredDispatch {
            kernel: &MATVEC,
            variant: Variant { lane_groups, subgroup, ..self.variant(weight.dtype, weight.columns, 1) },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.bound(), self.acts(x), self.plain(out)],
            grid: Grid::SmallBatchPerRow { x: shard.rows.div_ceil(lane_groups.workgroup_rows()) },
        }
    }
}
