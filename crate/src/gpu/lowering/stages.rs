//! A plan as stages, in two ways: every step by itself, for chunks and batches; and for one token of one sequence with
//! neighbouring steps fused: four dispatches a layer of Mamba, eight of RWKV-7.

use std::ops::Range;

use super::dispatch::{Dispatch, Extent, LoweredDispatch};
use super::fusion::fuse;
use super::schedule::levels;
use super::steps::Lowering;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{GROUP_PROJECT, Layout, SMALL_BATCH, params};
use crate::gpu::resources::{Bound, Pipelines, Program, written_by};
use crate::model::BufferId;

/// A step, or some neighbouring steps that are fused, and the dispatches that run them.
pub struct Stage {
    /// Numbers of the steps, through layers and head.
    pub steps: Range<usize>,
    /// Buffers that hold the plan's values when it is done, in this layout. Fused steps leave out what only they would have read.
    pub writes: Vec<(BufferId, Layout)>,
    pub dispatches: Vec<Dispatch>,
}

impl Stage {
    /// Encodes its dispatches.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, extent: Extent) {
        for dispatch in &self.dispatches {
            dispatch.encode(pass, extent);
        }
    }
}

/// A stage before its dispatches are bound.
pub struct LoweredStage {
    pub steps: Range<usize>,
    pub writes: Vec<(BufferId, Layout)>,
    pub dispatches: Vec<LoweredDispatch>,
}

impl LoweredStage {
    /// True for the products of a group.
    pub fn is_group(&self) -> bool {
        self.dispatches.first().is_some_and(|dispatch| dispatch.kernel.name == GROUP_PROJECT.name)
    }
}

/// A dispatch: the number of its stage, and its own there.
pub type Place = (usize, usize);

/// The order in which the dispatches of stages run: levels, in each of which none waits for another.
#[derive(Default)]
pub struct Order {
    layers: Vec<Vec<Place>>,
    head: Vec<Vec<Place>>,
}

impl Order {
    /// One after the other.
    pub fn of_steps(stages: &[LoweredStage], layer_steps: usize) -> Self {
        let alone = |range: Range<usize>| places(stages, range).map(|place| vec![place]).collect();
        let head = head_stage(stages, layer_steps);
        Self { layers: alone(0..head), head: alone(head..stages.len()) }
    }

    /// In the layers side by side where they can be, for small batches or for chunks: some dispatches serve only either.
    pub fn side_by_side(stages: &[LoweredStage], layer_steps: usize, small_batch: bool) -> Self {
        let extent = Extent { tokens: if small_batch { 1 } else { SMALL_BATCH + 1 }, sequences: 1, outputs: 1 };
        let dispatch = |(stage, own): Place| &stages[stage].dispatches[own];
        let layers = places(stages, 0..head_stage(stages, layer_steps));
        let layers: Vec<Place> = layers.filter(|&place| dispatch(place).grid.runs(extent)).collect();
        let accesses: Vec<_> = layers.iter().map(|&place| dispatch(place).access()).collect();
        let levels =
            levels(&accesses).into_iter().map(|level| level.into_iter().map(|number| layers[number]).collect());
        Self { layers: levels.collect(), ..Self::of_steps(stages, layer_steps) }
    }

    /// All levels, or those of the layers where no logits are wanted.
    pub fn levels(&self, outputs: usize) -> impl Iterator<Item = &[Place]> {
        let head = if outputs == 0 { &[][..] } else { &self.head };
        self.layers.iter().chain(head).map(Vec::as_slice)
    }
}

/// The first stage of the head.
fn head_stage(stages: &[LoweredStage], layer_steps: usize) -> usize {
    stages.partition_point(|stage| stage.steps.start < layer_steps)
}

fn places(stages: &[LoweredStage], range: Range<usize>) -> impl Iterator<Item = Place> {
    range.flat_map(|stage| (0..stages[stage].dispatches.len()).map(move |own| (stage, own)))
}

/// Every step by itself: chunks of a prefill, and batches.
pub fn lower_chunk(lowering: &Lowering<'_>) -> Vec<LoweredStage> {
    let steps: Vec<_> = lowering.network.plan.steps().collect();
    (0..steps.len()).map(|at| lower_step(lowering, at, steps[at])).collect()
}

/// One token of one sequence: neighbouring steps fused where a rule applies, every other step by itself.
pub fn lower_decode(lowering: &Lowering<'_>) -> Vec<LoweredStage> {
    let steps: Vec<_> = lowering.network.plan.steps().collect();
    let mut stages = Vec::new();
    let mut at = 0;
    while at < steps.len() {
        let stage = fuse(lowering, &steps, &stages, at).unwrap_or_else(|| lower_step(lowering, at, steps[at]));
        at = stage.steps.end;
        stages.push(stage);
    }
    stages
}

fn lower_step(lowering: &Lowering<'_>, at: usize, step: &crate::model::Step) -> LoweredStage {
    let writes = step.writes.iter().enumerate().map(|(index, &id)| lowering.left(id, written_by(step.op, index)));
    LoweredStage { steps: at..at + 1, writes: writes.collect(), dispatches: lowering.step(step) }
}

/// The programs that stages run.
pub fn programs(gpu: &Gpu, stages: &[LoweredStage]) -> Vec<Program> {
    let dispatches = stages.iter().flat_map(|stage| &stage.dispatches);
    dispatches.flat_map(|dispatch| dispatch.programs(gpu)).collect()
}

/// Binds stages: parameters in one buffer, pipelines and bind groups.
pub fn bind(gpu: &Gpu, pipelines: &mut Pipelines, batch: &wgpu::Buffer, stages: Vec<LoweredStage>) -> Vec<Stage> {
    let alignment = gpu.device.limits().min_uniform_buffer_offset_alignment as usize;
    let mut bytes = Vec::new();
    for dispatch in stages.iter().flat_map(|stage| &stage.dispatches) {
        bytes.extend_from_slice(&dispatch.params);
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
    let mut bind_dispatch = |dispatch: LoweredDispatch| {
        let uniform = |buffer, offset, size: usize| {
            let size = wgpu::BufferSize::new(size as u64);
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
        };
        let uniforms = [uniform(&params, offset, dispatch.params.len()), uniform(batch, 0, size_of::<params::Batch>())];
        offset += dispatch.params.len().next_multiple_of(alignment) as u64;
        let storage = dispatch.buffers.iter().map(Bound::as_resource);
        let bind_group = pipelines.bind_group(gpu, dispatch.kernel, uniforms.into_iter().chain(storage));
        let compiled = dispatch.programs(gpu).map(|program| pipelines.get(gpu, program));
        Dispatch::new(dispatch, bind_group, compiled)
    };
    let bind_stage = |LoweredStage { steps, writes, dispatches }| Stage {
        steps,
        writes,
        dispatches: dispatches.into_iter().map(&mut bind_dispatch).collect(),
    };
    stages.into_iter().map(bind_stage).collect()
}
