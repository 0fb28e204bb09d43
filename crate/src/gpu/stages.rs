//! A plan's steps as dispatches: one form for a single token, in which neighbouring steps are joined to four dispatches a
//! layer, and one for chunks and batches, a dispatch a step.

use std::ops::Range;

use super::drafts::{Draft, Drafter, Shape};
use super::kernels::{DT_SCAN, IN_PROJECT, MATVEC, OUT_PROJECT, Variant};
use super::pipelines::{Pipelines, Program};
use super::shape::{DecodeScan, RUN, Team, Tile};
use super::{Gpu, params};
use crate::executor::Activations;
use crate::model::{BufferId, Rows, Step, WeightId};

/// Some neighbouring steps, and the dispatches that run them.
pub struct Stage {
    /// Numbers of the steps, through layers and head.
    pub steps: Range<usize>,
    /// Buffers that hold the plan's values when it is done. Joined steps leave out what only they would have read.
    pub writes: Vec<BufferId>,
    pub dispatches: Vec<Dispatch>,
}

/// A stage before its pipelines are made.
pub struct StageDraft {
    steps: Range<usize>,
    writes: Vec<BufferId>,
    drafts: Vec<Draft>,
}

/// One dispatch, ready to be encoded for any number of tokens.
pub struct Dispatch {
    /// The kernel's name.
    pub kernel: &'static str,
    bind_group: wgpu::BindGroup,
    pipeline: wgpu::ComputePipeline,
    shape: Shape,
    /// For a product: the tile of `pipeline`, and the pipeline for few tokens.
    tiles: Option<(Tile, wgpu::ComputePipeline)>,
}

/// What one submission runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Tokens of each sequence.
    pub tokens: usize,
    pub sequences: usize,
    /// Rows whose logits are wanted.
    pub outputs: usize,
}

impl Extent {
    pub fn rows(self, rows: Rows) -> usize {
        match rows {
            Rows::Tokens => self.tokens * self.sequences,
            Rows::Outputs => self.outputs,
        }
    }
}

impl Dispatch {
    /// True where it is for so many tokens.
    pub fn runs(&self, extent: Extent) -> bool {
        let few = |rows| extent.rows(rows) <= Tile::FEW_TOKENS;
        match self.shape {
            Shape::Few { .. } | Shape::FewAtOnce { .. } => few(Rows::Tokens),
            Shape::Product { rows, few: None, .. } => !few(rows),
            _ => true,
        }
    }

    /// Encodes it, if it runs at all.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, extent: Extent) {
        if !self.runs(extent) {
            return;
        }
        let (pipeline, [x, y]) = match (&self.shape, &self.tiles) {
            (Shape::Fixed { x } | Shape::FewAtOnce { x }, _) => (&self.pipeline, [*x, 1]),
            (Shape::PerRow { x, rows }, _) => (&self.pipeline, [*x, extent.rows(*rows)]),
            (Shape::Few { x }, _) => (&self.pipeline, [*x, extent.rows(Rows::Tokens)]),
            (Shape::PerSequence { x }, _) => (&self.pipeline, [*x, extent.sequences]),
            (Shape::Product { out_rows, rows, few }, Some((many, few_pipeline))) => {
                let tokens = extent.rows(*rows);
                let (tile, pipeline) = match few {
                    Some(few) if tokens <= Tile::FEW_TOKENS => (few, few_pipeline),
                    _ => (many, &self.pipeline),
                };
                (pipeline, [out_rows.div_ceil(tile.rows), tokens.div_ceil(tile.tokens)])
            }
            (Shape::Product { .. }, None) => unreachable!("a product has pipelines for few and for many tokens"),
        };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x as u32, y as u32, 1);
    }
}

/// Every step by itself: chunks of a prefill, and batches.
pub fn chunk_stages(drafter: &Drafter<'_>) -> Vec<StageDraft> {
    let stage = |(number, step): (usize, &Step)| StageDraft {
        steps: number..number + 1,
        writes: step.outputs().collect(),
        drafts: drafter.step(step),
    };
    drafter.plan.steps().enumerate().map(stage).collect()
}

/// The joined steps of one token of one sequence; none where they cannot be joined.
pub fn decode_stages(drafter: &Drafter<'_>) -> Option<Vec<StageDraft>> {
    let scan = DecodeScan::of(drafter.gpu, drafter.config.dt_rank, drafter.config.d_state)?;
    let steps: Vec<&Step> = drafter.plan.steps().collect();
    let mut stages = Vec::new();
    let mut at = 0;
    // The first norm is a step of its own, and its output is normalised; after that each norm is the step before's, and
    // leaves its scale to the next.
    let mut scaled = false;
    while at < steps.len() {
        let (count, writes, drafts) = match steps[at..] {
            [Step::MatMul { weight, x, .. }, conv @ Step::Conv1dSilu { xz, out, .. }, ..] => {
                let drafts = drafter.sharded(*weight, |w, shard| drafter.in_project(w, shard, *x, scaled, conv));
                // Of xz only z is the plan's: nothing reads x after the convolution.
                let _ = xz;
                (2, vec![*out], drafts)
            }
            [
                split @ Step::SplitDtBC { .. },
                Step::MatMul { weight, .. },
                last @ Step::SelectiveScan { out, .. },
                ..,
            ] => {
                let drafts = drafter.sharded(*weight, |w, shard| drafter.dt_scan(w, shard, split, last, scan));
                (3, vec![*out], drafts)
            }
            [Step::MatMul { weight, x, out, accumulate: true }, Step::RmsNorm { weight: norm, out: h, .. }, ..] => {
                scaled = true;
                let drafts = drafter.sharded(*weight, |w, shard| drafter.out_project(w, shard, *x, *norm, *out, *h));
                (2, vec![*out], drafts)
            }
            [Step::MatMul { weight, x, out, accumulate: false }, ..] => {
                let is_head = *out == drafter.plan.logits;
                let drafts = drafter.sharded(*weight, |w, shard| drafter.matvec(w, shard, *x, scaled && is_head, *out));
                (1, vec![*out], drafts)
            }
            [step, ..] => (1, step.outputs().collect(), drafter.step(step)),
            [] => unreachable!("`at` is inside the steps"),
        };
        stages.push(StageDraft { steps: at..at + count, writes, drafts });
        at += count;
    }
    Some(stages)
}

/// What the drafts run.
pub fn programs(gpu: &Gpu, stages: &[StageDraft]) -> Vec<Program> {
    let drafts = stages.iter().flat_map(|stage| &stage.drafts);
    drafts.flat_map(|draft| draft.variants().map(|v| Program::of_variant(gpu, draft.kernel, &v))).collect()
}

/// Gives drafts their parameters' addresses, bind groups and pipelines.
pub fn build(gpu: &Gpu, pipelines: &mut Pipelines, batch: &wgpu::Buffer, stages: Vec<StageDraft>) -> Vec<Stage> {
    let alignment = gpu.device.limits().min_uniform_buffer_offset_alignment as usize;
    let mut bytes = Vec::new();
    for draft in stages.iter().flat_map(|stage| &stage.drafts) {
        bytes.extend_from_slice(&draft.params);
        bytes.resize(bytes.len().next_multiple_of(alignment), 0);
    }
    let params = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("params"),
        size: bytes.len().max(alignment) as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&params, 0, &bytes);

    let mut offset = 0;
    let mut dispatch = |draft: Draft| {
        let uniform = |buffer, offset, size: usize| {
            let size = wgpu::BufferSize::new(size as u64);
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
        };
        let uniforms = [uniform(&params, offset, draft.params.len()), uniform(batch, 0, size_of::<params::Batch>())];
        offset += draft.params.len().next_multiple_of(alignment) as u64;
        let storage = draft.buffers.iter().map(wgpu::Buffer::as_entire_binding);
        let bind_group = pipelines.bind_group(gpu, draft.kernel, uniforms.into_iter().chain(storage));
        let [pipeline, few] = draft.variants().map(|v| pipelines.get(gpu, Program::of_variant(gpu, draft.kernel, &v)));
        let tiles = matches!(draft.shape, Shape::Product { .. }).then_some((draft.variant.tile, few));
        Dispatch { kernel: draft.kernel.name, bind_group, pipeline, shape: draft.shape, tiles }
    };
    let mut build = |stage: StageDraft| Stage {
        steps: stage.steps,
        writes: stage.writes,
        dispatches: stage.drafts.into_iter().map(&mut dispatch).collect(),
    };
    stages.into_iter().map(&mut build).collect()
}

/// The joined kernels.
impl Drafter<'_> {
    fn run_variant(&self, weight: &super::weights::DeviceWeight, out_columns: usize) -> Variant {
        let team = Team::of_run(self.gpu, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(team.lanes);
        Variant { team, subgroup, ..self.variant(weight.dtype, weight.columns, out_columns) }
    }

    fn in_project(
        &self,
        weight: &super::weights::DeviceWeight,
        shard: &super::weights::Shard,
        h: BufferId,
        scaled: bool,
        conv: &Step,
    ) -> Draft {
        let Step::Conv1dSilu { xz, weight: taps, bias, layer, out } = *conv else {
            unreachable!("joined with a convolution only")
        };
        let d_inner = self.config.d_inner;
        let params = params::InProject {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(h) as u32,
            scaled: scaled.into(),
            d_inner: d_inner as u32,
            eps: self.config.rms_eps,
        };
        let (taps, bias) = (self.values(taps), self.values(bias));
        let state = self.storage.states.conv[layer].clone();
        let written = [state, self.plain(xz), self.plain(out)];
        let team = Team::of_rows(self.gpu, shard.rows, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(team.lanes);
        Draft {
            kernel: &IN_PROJECT,
            variant: Variant { team, subgroup, ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: [shard.buffer.clone(), self.acts(h), taps, bias].into_iter().chain(written).collect(),
            shape: Shape::Fixed { x: shard.rows.div_ceil(team.group_rows()) },
        }
    }

    fn dt_scan(
        &self,
        weight: &super::weights::DeviceWeight,
        shard: &super::weights::Shard,
        split: &Step,
        scan: &Step,
        shape: DecodeScan,
    ) -> Draft {
        let (Step::SplitDtBC { dbc, eps, .. }, Step::SelectiveScan { x, a, xz, layer, out, .. }) = (split, scan) else {
            unreachable!("joined of these steps only")
        };
        let d_inner = self.config.d_inner;
        let params = params::DtScan {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            d_inner: d_inner as u32,
            eps: eps.unwrap_or(0.0),
        };
        let bias_d = self.storage.bias_d[*layer].clone();
        let state = self.storage.states.ssm[*layer].clone();
        let read = [shard.buffer.clone(), self.plain(*dbc), bias_d, self.values(*a), self.plain(*x), self.plain(*xz)];
        let subgroup = self.gpu.subgroup(shape.channels * shape.lanes);
        Draft {
            kernel: &DT_SCAN,
            variant: Variant { decode_scan: shape, subgroup, ..self.variant(weight.dtype, weight.columns, d_inner) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: read.into_iter().chain([state, self.acts(*out)]).collect(),
            shape: Shape::Fixed { x: shard.rows.div_ceil(shape.channels) },
        }
    }

    fn out_project(
        &self,
        weight: &super::weights::DeviceWeight,
        shard: &super::weights::Shard,
        y: BufferId,
        norm: WeightId,
        x: BufferId,
        h: BufferId,
    ) -> Draft {
        let params = params::OutProject { rows: shard.rows as u32, first_row: shard.first_row as u32 };
        Draft {
            kernel: &OUT_PROJECT,
            variant: self.run_variant(weight, self.width(x)),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.acts(y), self.values(norm), self.plain(x), self.acts(h)],
            shape: Shape::Fixed { x: shard.rows.div_ceil(RUN) },
        }
    }

    fn matvec(
        &self,
        weight: &super::weights::DeviceWeight,
        shard: &super::weights::Shard,
        x: BufferId,
        scaled: bool,
        out: BufferId,
    ) -> Draft {
        let params = params::MatVec {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(x) as u32,
            scaled: scaled.into(),
            eps: self.config.rms_eps,
            out_stride: self.width(out) as u32,
        };
        // The head reads what the last layer quantised; W_x reads what the convolution left, as it is.
        let (activations, x) = match out == self.plan.logits {
            true => (self.activations, self.acts(x)),
            false => (Activations::F32, self.plain(x)),
        };
        let team = Team::of_rows(self.gpu, shard.rows, weight.columns, activations);
        let subgroup = self.gpu.subgroup(team.lanes);
        let variant = self.variant(weight.dtype, weight.columns, 1);
        Draft {
            kernel: &MATVEC,
            variant: Variant { team, subgroup, activations, ..variant },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), x, self.plain(out)],
            shape: Shape::Fixed { x: shard.rows.div_ceil(team.group_rows()) },
        }
    }
}
