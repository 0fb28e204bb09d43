//! Runs a loaded model: tells the device its batch, encodes stages, submits them in parts, and reads logits back.

use super::model::LoadedModel;
use crate::error::Result;
use crate::executor::MAX_SEQUENCES;
use crate::gpu::kernels::params;
use crate::gpu::lowering::Extent;
use crate::model::Rows;

/// Submissions of a large chunk: each takes a small part of [`super::chunk_tokens::ChunkTokens`]'s time.
const SUBMISSIONS: usize = 16;

/// A loaded model and the way to run it. It knows no sequences: a batch is prepared with the slots of its states.
pub struct Runner {
    model: LoadedModel,
    /// Receives the logits, (MAX_OUTPUTS, vocab_size), for the host to read.
    staging: wgpu::Buffer,
}

impl Runner {
    /// Makes the buffer that logits are read from.
    pub fn new(model: LoadedModel) -> Self {
        let logits = model.storage().buffer(model.network().plan.logits).plain();
        let staging = model.gpu().device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: logits.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { model, staging }
    }

    /// The model.
    pub fn model(&self) -> &LoadedModel {
        &self.model
    }

    /// The model, to replace its states.
    pub fn model_mut(&mut self) -> &mut LoadedModel {
        &mut self.model
    }

    /// Bytes of the model, and of what logits are read from.
    pub fn bytes(&self) -> u64 {
        self.model.bytes() + self.staging.size()
    }

    /// Writes what the next submission reads: the tokens of each sequence (none where the device sampled them itself), and the slots
    /// that each sequence's state is read from and written to.
    pub fn prepare(&self, tokens: &[u32], extent: Extent, slots: &[[u32; 2]]) {
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
        let (queue, storage) = (&self.model.gpu().queue, self.model.storage());
        if !tokens.is_empty() {
            queue.write_buffer(storage.tokens(), 0, bytemuck::cast_slice(tokens));
        }
        queue.write_buffer(storage.batch(), 0, bytemuck::bytes_of(&batch));
    }

    /// Encodes all that is wanted. Of a large chunk it submits all parts but the last, so that each submission is short.
    pub fn encode(&self, extent: Extent) -> wgpu::CommandEncoder {
        let gpu = self.model.gpu();
        let parts = if extent.is_small_batch(Rows::Tokens) { 1 } else { SUBMISSIONS };
        let levels: Vec<_> = self.model.levels(extent).collect();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for (number, part) in levels.chunks(levels.len().div_ceil(parts)).enumerate() {
            if number > 0 {
                let done = std::mem::replace(&mut encoder, gpu.device.create_command_encoder(&Default::default()));
                gpu.queue.submit([done.finish()]);
            }
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (index, level) in part.iter().enumerate() {
                // wgpu waits before a pass, once, for what its buffers were last used for, and within a pass before each dispatch: each
                // one writes what an earlier layer has read, so that in one pass none would run beside another.
                if index > 0 && level.len() > 1 {
                    drop(pass);
                    pass = encoder.begin_compute_pass(&Default::default());
                }
                level.iter().for_each(|&place| self.model.dispatch(extent, place).encode(&mut pass, extent));
            }
        }
        encoder
    }

    /// Runs all wanted stages over what was prepared and waits for them; gives the logits, (outputs, vocab_size).
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn run(&self, extent: Extent) -> Result<Vec<f32>> {
        let (gpu, network) = (self.model.gpu(), self.model.network());
        gpu.check()?;
        let mut encoder = self.encode(extent);
        if extent.outputs == 0 {
            gpu.queue.submit([encoder.finish()]);
            gpu.finish().await?;
            return Ok(Vec::new());
        }
        let floats = extent.outputs * network.vocab_size;
        let logits = self.model.storage().buffer(network.plan.logits).plain();
        encoder.copy_buffer_to_buffer(&logits, 0, &self.staging, 0, 4 * floats as u64);
        gpu.queue.submit([encoder.finish()]);
        gpu.read_floats(&self.staging, floats).await
    }

    /// Runs one of [`LoadedModel::stages`] over what was prepared, without waiting for it.
    pub fn run_stage(&self, number: usize, extent: Extent) {
        let gpu = self.model.gpu();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        self.model.stages(extent)[number].encode(&mut encoder.begin_compute_pass(&Default::default()), extent);
        gpu.queue.submit([encoder.finish()]);
    }
}
