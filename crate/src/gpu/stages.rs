//! A plan's steps as dispatches: one form for a single token, in which neighbouring steps are joined to four dispatches a
//! layer, and one for chunks and batches, a dispatch a step.

use std::ops::Range;

use super::drafts::{Draft, Drafter, Shape};
use super::kernels::{DT_SCAN, IN_PROJECT, MATVEC, OUT_PROJECT, Variant};
use super::pipelines::{Pipelines, Program};
use super::shape::{DecodeScan, RUN, Team, Tile};
use super::{Gpu, params};
use crate::executor::Activations;
use crate::model::{BufferId, Op, Operands, Rows, Step};

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
        writes: step.writes.clone(),
        drafts: drafter.step(step),
    };
    drafter.network.plan.steps().enumerate().map(stage).collect()
}

/// The steps of one token of one sequence, neighbours fused; none where some step can't be fused and has no form for one token.
pub fn decode_stages(drafter: &Drafter<'_>) -> Option<Vec<StageDraft>> {
    let steps: Vec<&Step> = drafter.network.plan.steps().collect();
    let writer =
        |id: BufferId, at: usize| steps[..at].iter().rev().find(|step| step.writes.contains(&id)).map(|step| step.op);
    // What a fused convolution leaves has no form for the large products.
    let plainly_read = |id: BufferId| {
        let readers = steps.iter().filter(|step| step.reads.contains(&id));
        readers.into_iter().all(|step| matches!(step.op, Op::MatMul { accumulate: false } | Op::SelectiveScan))
    };
    let mut stages = Vec::new();
    let mut at = 0;
    // The first norm is a step of its own, and its output is normalised; after that each norm is the step before's, and
    // leaves its scale to the next: the mean of squares is still to be added to this.
    let mut scaled = None;
    while at < steps.len() {
        let ops: Vec<Op> = steps[at..].iter().take(3).map(|step| step.op).collect();
        let (count, writes, drafts) = match (ops.as_slice(), &steps[at..]) {
            ([Op::MatMul { accumulate: false }, Op::Conv1dSilu, ..], [product, conv, ..])
                if plainly_read(conv.output()) =>
            {
                let drafts = drafter.sharded(product.weights[0], |w, shard| {
                    drafter.in_project(w, shard, product.reads[0], scaled, conv)
                });
                // Of xz only z is the plan's: nothing reads x after the convolution.
                (2, conv.writes.clone(), drafts)
            }
            (
                [Op::SplitDtBC { eps }, Op::MatMul { accumulate: false }, Op::SelectiveScan],
                [split, product, scan, ..],
            ) => {
                let dt_rank = drafter.width(split.writes[0]);
                let shape = DecodeScan::of(drafter.gpu, dt_rank, drafter.weight(scan.weights[1]).columns)?;
                let drafts = drafter
                    .sharded(product.weights[0], |w, shard| drafter.dt_scan(w, shard, (split, *eps), scan, shape));
                (3, scan.writes.clone(), drafts)
            }
            ([Op::MatMul { accumulate: true }, Op::RmsNorm { eps }, ..], [product, norm, ..])
                if !matches!(writer(product.reads[0], at), Some(Op::RmsNorm { .. })) =>
            {
                scaled = Some(*eps);
                let drafts =
                    drafter.sharded(product.weights[0], |w, shard| drafter.out_project(w, shard, product, norm));
                (2, product.writes.clone(), drafts)
            }
            ([Op::MatMul { accumulate: false }, ..], [product, ..]) => {
                let is_head = product.output() == drafter.network.plan.logits;
                if !is_head && writer(product.reads[0], at) != Some(Op::Conv1dSilu) {
                    return None;
                }
                let drafts = drafter.sharded(product.weights[0], |w, shard| {
                    drafter.matvec(w, shard, product, scaled.filter(|_| is_head))
                });
                (1, product.writes.clone(), drafts)
            }
            ([Op::Embed | Op::RmsNorm { .. }, ..], [step, ..]) => (1, step.writes.clone(), drafter.step(step)),
            _ => return None,
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
        scaled: Option<f32>,
        conv: &Step,
    ) -> Draft {
        let Operands { reads: [xz], weights: [taps, bias], state: [past], writes: [out] } = conv.operands();
        let params = params::InProject {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(h) as u32,
            scaled: scaled.is_some().into(),
            d_inner: self.width(out) as u32,
            eps: scaled.unwrap_or(0.0),
        };
        let d_conv = self.weight(taps).columns;
        let (taps, bias) = (self.values(taps), self.values(bias));
        let state = self.storage.states.get(past).clone();
        let written = [state, self.plain(xz), self.plain(out)];
        let team = Team::of_rows(self.gpu, shard.rows, weight.columns, self.activations);
        let subgroup = self.gpu.subgroup(team.lanes);
        Draft {
            kernel: &IN_PROJECT,
            variant: Variant { team, subgroup, d_conv, ..self.variant(weight.dtype, weight.columns, 1) },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: [shard.buffer.clone(), self.acts(h), taps, bias].into_iter().chain(written).collect(),
            shape: Shape::Fixed { x: shard.rows.div_ceil(team.group_rows()) },
        }
    }

    fn dt_scan(
        &self,
        weight: &super::weights::DeviceWeight,
        shard: &super::weights::Shard,
        (split, eps): (&Step, Option<f32>),
        scan: &Step,
        shape: DecodeScan,
    ) -> Draft {
        let dbc = split.reads[0];
        let Operands { reads: [x, _, _, xz], weights: [_, a, _], state: [s], writes: [out] } = scan.operands();
        let (d_inner, d_state) = (self.width(out), self.weight(a).columns);
        let params = params::DtScan {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            d_inner: d_inner as u32,
            eps: eps.unwrap_or(0.0),
        };
        let (joined, state) = (self.storage.joined(scan), self.storage.states.get(s).clone());
        let read = [shard.buffer.clone(), self.plain(dbc), joined, self.values(a), self.plain(x), self.plain(xz)];
        let subgroup = self.gpu.subgroup(shape.channels * shape.lanes);
        let variant = self.variant(weight.dtype, weight.columns, d_inner);
        Draft {
            kernel: &DT_SCAN,
            variant: Variant { decode_scan: shape, subgroup, d_state, norm_dt_b_c: eps.is_some(), ..variant },
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: read.into_iter().chain([state, self.acts(out)]).collect(),
            shape: Shape::Fixed { x: shard.rows.div_ceil(shape.channels) },
        }
    }

    fn out_project(
        &self,
        weight: &super::weights::DeviceWeight,
        shard: &super::weights::Shard,
        product: &Step,
        norm: &Step,
    ) -> Draft {
        let Operands { reads: [y], weights: [_], state: [], writes: [x] } = product.operands();
        let Operands { reads: [_], weights: [norm], state: [], writes: [h] } = norm.operands();
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
        product: &Step,
        scaled: Option<f32>,
    ) -> Draft {
        let Operands { reads: [x], weights: [_], state: [], writes: [out] } = product.operands();
        let params = params::MatVec {
            rows: shard.rows as u32,
            first_row: shard.first_row as u32,
            width: self.width(x) as u32,
            scaled: scaled.is_some().into(),
            eps: scaled.unwrap_or(0.0),
            out_stride: self.width(out) as u32,
        };
        // The head reads what the last layer quantised; W_x reads what the convolution left, as it is.
        let (activations, x) = match out == self.network.plan.logits {
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
