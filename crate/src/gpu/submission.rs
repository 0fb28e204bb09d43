//! What one call submits: which stages, over which batch, in how many parts.

use super::executor::GpuExecutor;
use super::params;
use super::shape::Tile;
use super::stages::{Extent, Stage};
use crate::executor::MAX_SEQUENCES;
use crate::model::Rows;

/// Submissions of a large chunk: each takes a small part of [`super::chunk_tokens::ChunkTokens`]'s time.
const SUBMISSIONS: usize = 16;

impl GpuExecutor {
    /// The stages for so many tokens.
    pub(super) fn stages(&self, extent: Extent) -> &[Stage] {
        match extent.tokens * extent.sequences == 1 && extent.outputs <= 1 && !self.decode.is_empty() {
            true => &self.decode,
            false => &self.chunk,
        }
    }

    /// The stages to run: all, or those of the layers where no logits are wanted.
    pub(super) fn wanted_stages(&self, extent: Extent) -> impl Iterator<Item = &Stage> {
        let end = if extent.outputs == 0 { self.network.plan.layers.len() } else { usize::MAX };
        self.stages(extent).iter().take_while(move |stage| stage.steps.start < end)
    }

    /// Tells the device the tokens of the next submission, and whose states it moves.
    pub(super) fn write_batch(&self, tokens: &[u32], extent: Extent, slots: &[[u32; 2]]) {
        let mut batch = params::Batch {
            tokens: extent.tokens as u32,
            sequences: extent.sequences as u32,
            outputs: extent.outputs as u32,
            unused: 0,
            slots: [[0; 4]; MAX_SEQUENCES],
        };
        for (to, &[read, write]) in batch.slots.iter_mut().zip(slots) {
            *to = [read, write, 0, 0];
        }
        if !tokens.is_empty() {
            // Else the device chose them itself.
            self.gpu.queue.write_buffer(&self.storage.tokens, 0, bytemuck::cast_slice(tokens));
        }
        self.gpu.queue.write_buffer(&self.storage.batch, 0, bytemuck::bytes_of(&batch));
    }

    /// Encodes all wanted stages; submits all but the last part of a large chunk, so that each submission is short.
    pub(super) fn encode_parts(&self, extent: Extent) -> wgpu::CommandEncoder {
        let parts = if extent.rows(Rows::Tokens) > Tile::FEW_TOKENS { SUBMISSIONS } else { 1 };
        let stages: Vec<_> = self.wanted_stages(extent).collect();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let per_part = stages.len().div_ceil(parts);
        for (number, part) in stages.chunks(per_part).enumerate() {
            if number > 0 {
                let done = std::mem::replace(&mut encoder, self.gpu.device.create_command_encoder(&Default::default()));
                self.gpu.queue.submit([done.finish()]);
            }
            encode(&mut encoder.begin_compute_pass(&Default::default()), part.iter().copied(), extent);
        }
        encoder
    }
}

/// Encodes stages.
pub(super) fn encode<'a>(pass: &mut wgpu::ComputePass<'_>, stages: impl Iterator<Item = &'a Stage>, extent: Extent) {
    for dispatch in stages.flat_map(|stage| &stage.dispatches) {
        dispatch.encode(pass, extent);
    }
}
