//! A plan as stages, in two ways: every step by itself, for chunks and batches; and for one token of one sequence with
//! neighbouring steps fused: four dispatches a layer of Mamba, eight of RWKV-7.

use std::ops::Range;

use super::dispatch::{Dispatch, Extent, LoweredDispatch};
use super::fusion::fuse;
use super::steps::Lowering;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{GROUP_PROJECT, Layout, params};
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
