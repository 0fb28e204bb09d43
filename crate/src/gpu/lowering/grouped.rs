//! The dispatch of a group of products in decode. [`super::fusion`] says where it applies.

use super::dispatch::{Grid, LoweredDispatch};
use super::fused::Form;
use super::steps::Lowering;
use crate::executor::Activations;
use crate::gpu::kernels::params::{MAX_SEGMENTS, Segment};
use crate::gpu::kernels::{GROUP_PROJECT, LaneGroups, Layout, Variant, finish_code};
use crate::gpu::resources::{Bound, Group};
use crate::model::{Op, Step};

/// Workgroups of a dispatch at the most, by WebGPU's default limits.
const MAX_WORKGROUPS: usize = 65_535;

/// A product of a group: what it binds, and what becomes of it.
struct Member {
    variant: Variant,
    rows: usize,
    weights: Bound,
    acts: Bound,
    out: Bound,
    finish: u32,
}

impl Lowering<'_> {
    /// The products of a group, all of whose inputs are in one form. None where what it binds as one does not lie together.
    pub fn group_project(&self, steps: &[&Step], group: &Group, form: Form) -> Option<LoweredDispatch> {
        let rows = group.members.iter().map(|member| self.width(steps[member.start].output())).sum();
        let members = group.members.iter().map(|member| self.member(&steps[member.clone()], rows, form));
        let mut members: Vec<_> = members.collect::<Option<_>>()?;
        // The longest come first: the last workgroups to start are to be the shortest.
        members.sort_by_key(|member| std::cmp::Reverse(member.weights.bytes / member.rows as u64));
        let weights = Bound::together(members.iter().map(|member| &member.weights))?;
        let acts = Bound::together(members.iter().map(|member| &member.acts))?;
        let out = Bound::together(members.iter().map(|member| &member.out))?;

        let mut kinds: Vec<Variant> = Vec::new();
        let mut segments = [NO_SEGMENT; MAX_SEGMENTS];
        let mut workgroups = 0;
        for (segment, member) in segments.iter_mut().zip(&members) {
            let known = kinds.iter().position(|kind| *kind == member.variant);
            *segment = Segment {
                first_group: workgroups as u32,
                rows: member.rows as u32,
                weights: member.weights.first_vector(),
                acts: member.acts.first_vector(),
                out: (member.out.offset / 4) as u32,
                kind: known.unwrap_or(kinds.len()) as u32,
                finish: member.finish,
                unused: 0,
            };
            if known.is_none() {
                kinds.push(member.variant);
            }
            workgroups += member.rows.div_ceil(member.variant.lane_groups.workgroup_rows());
        }
        let residual = steps[group.steps()].iter().find(|step| step.op == Op::ValueResidual);
        let operands = match residual {
            Some(step) => [self.plain(step.reads[0]), self.plain(step.reads[1]), self.values(step.weights[0])],
            // Something has to be bound; no segment reads it.
            None => [weights.clone(), weights.clone(), weights.clone()],
        };
        (workgroups <= MAX_WORKGROUPS).then(|| LoweredDispatch {
            kernel: &GROUP_PROJECT,
            variant: kinds[0],
            kinds,
            params: bytemuck::bytes_of(&segments).to_vec(),
            buffers: [weights, acts].into_iter().chain(operands).chain([out]).collect(),
            grid: Grid::Fixed { x: workgroups },
        })
    }

    /// A member by its steps; none where its weights are in shards.
    fn member(&self, steps: &[&Step], rows: usize, form: Form) -> Option<Member> {
        let (product, last) = (steps.first()?, steps.last()?);
        let weight = self.weight(product.weights[0]);
        let [shard] = weight.shards.as_slice() else { return None };
        let (activations, layout) = match form {
            Form::F32 => (Activations::F32, Layout::Plain),
            Form::Activations { .. } => (self.activations, Layout::Activations),
        };
        let lane_groups = LaneGroups::for_segment(self.gpu, rows, weight.columns, activations);
        let subgroup = self.gpu.subgroup(lane_groups.lanes);
        let variant = Variant { lane_groups, subgroup, activations, ..self.variant(weight.dtype, weight.columns, 1) };
        Some(Member {
            variant,
            rows: shard.rows,
            weights: shard.bound(),
            acts: self.storage.buffer(product.reads[0]).in_layout(layout, self.one_token),
            out: self.plain(last.output()),
            finish: finish_code(steps.get(1).map(|step| step.op))?,
        })
    }
}

/// No workgroup has it.
const NO_SEGMENT: Segment =
    Segment { first_group: u32::MAX, rows: 0, weights: 0, acts: 0, out: 0, kind: 0, finish: 0, unused: 0 };
