//! Runs a plan's steps on a device.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use web_time::Instant;

use super::chunk_tokens::ChunkTokens;
use super::drafts::Drafter;
use super::pipelines::Pipelines;
use super::slots::Slots;
use super::stages::{Extent, Stage, build, chunk_stages, decode_stages};
use super::storage::{States, Storage};
use super::weights::{DeviceWeight, allocate, upload};
use super::{Gpu, params};
use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, MAX_SEQUENCES, Memory, Outputs, check_tokens};
use crate::gguf::Gguf;
use crate::measure::Instruments;
use crate::model::{Config, Plan, State, Weights, record};

/// The most tokens whose logits one submission gives.
pub(super) const MAX_OUTPUTS: usize = MAX_SEQUENCES;

/// A model on a GPU.
pub struct GpuExecutor {
    pub(super) gpu: Gpu,
    config: Config,
    vocab_size: usize,
    pub(super) plan: Plan,
    pub(super) activations: Activations,
    pub(super) weights: Vec<DeviceWeight>,
    pub(super) storage: Storage,
    /// Receives the logits, (MAX_OUTPUTS, vocab_size), for the host to read.
    staging: wgpu::Buffer,
    pipelines: Pipelines,
    /// Chunks and batches: a stage a step.
    pub(super) chunk: Vec<Stage>,
    /// One token of one sequence, in joined steps.
    pub(super) decode: Vec<Stage>,
    slots: Slots,
    positions: Vec<u64>,
    chunk_tokens: ChunkTokens,
}

impl GpuExecutor {
    /// Uploads every weight and makes every pipeline. `progress` is called with each number of bytes read.
    ///
    /// # Errors
    /// What reading gives; [`crate::Error::OutOfMemory`] where a tensor does not fit a binding; [`crate::Error::Gpu`] where
    /// the device refuses or has no memory left.
    pub async fn load(
        gpu: Gpu,
        gguf: &Gguf,
        config: &Config,
        weights: &Weights,
        activations: Activations,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        if let Some(refusal) = Self::refusal(config, weights, activations, gpu.max_binding_bytes) {
            return Err(refusal);
        }
        // Browsers report a buffer that found no memory later than the call that made it: the scope waits for that.
        let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let plan = record(config, weights);
        let slots = Slots::new(1);
        let rooms = weights.all().iter().map(|weight| allocate(&gpu, weight)).collect::<Result<Vec<_>>>()?;
        let storage = Storage::new(&gpu, config, &plan, activations, (ChunkTokens::MOST, MAX_OUTPUTS, slots.count()));
        let logits = storage.buffer(plan.logits).plain();
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: logits.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut executor = Self {
            gpu,
            config: config.clone(),
            vocab_size: weights.vocab_size,
            plan,
            activations,
            weights: rooms,
            storage,
            staging,
            pipelines: Pipelines::default(),
            chunk: Vec::new(),
            decode: Vec::new(),
            slots,
            positions: vec![0],
            chunk_tokens: ChunkTokens::default(),
        };
        // Drivers compile while the weights are read.
        executor.make_stages();
        for (weight, room) in weights.all().iter().zip(&executor.weights) {
            upload(&executor.gpu, gguf, weight, room, progress).await?;
            executor.gpu.check()?;
        }
        executor.storage.join_bias_d(&executor.gpu, &executor.plan, &executor.weights);
        executor.gpu.finish().await?;
        match memory.pop().await {
            None => Ok(executor),
            Some(_) => Err(Error::OutOfMemory {
                what: "the model on this GPU".into(),
                needed: executor.memory_bytes(),
                available: None,
            }),
        }
    }

    /// What a model takes on a device, before anything is loaded.
    pub fn memory_needed(config: &Config, weights: &Weights) -> Memory {
        Memory {
            weights: weights.all().iter().map(super::weights::device_bytes).sum(),
            ..Memory::needed(config, weights, ChunkTokens::MOST, MAX_OUTPUTS, Slots::new(1).count())
        }
    }

    fn make_stages(&mut self) {
        let drafter = Drafter {
            gpu: &self.gpu,
            config: &self.config,
            plan: &self.plan,
            weights: &self.weights,
            storage: &self.storage,
            activations: self.activations,
        };
        let (decode, chunk) = (decode_stages(&drafter), chunk_stages(&drafter));
        let mut build = |stages| build(&self.gpu, &mut self.pipelines, &self.storage.batch, stages);
        self.decode = decode.map(&mut build).unwrap_or_default();
        self.chunk = build(chunk);
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Dispatches of one decoded token, head included.
    pub fn dispatches_per_token(&self) -> usize {
        self.stages(Extent { tokens: 1, sequences: 1, outputs: 1 }).iter().map(|stage| stage.dispatches.len()).sum()
    }

    /// The stages for so many tokens.
    pub(super) fn stages(&self, extent: Extent) -> &[Stage] {
        match extent.tokens * extent.sequences == 1 && extent.outputs <= 1 && !self.decode.is_empty() {
            true => &self.decode,
            false => &self.chunk,
        }
    }

    /// The stages to run: all, or those of the layers where no logits are wanted.
    fn wanted_stages(&self, extent: Extent) -> impl Iterator<Item = &Stage> {
        let end = if extent.outputs == 0 { self.plan.layers.len() } else { usize::MAX };
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
        self.gpu.queue.write_buffer(&self.storage.tokens, 0, bytemuck::cast_slice(tokens));
        self.gpu.queue.write_buffer(&self.storage.batch, 0, bytemuck::bytes_of(&batch));
    }

    /// The steps of each stage over so many tokens, and the kernel that runs them.
    pub fn stage_steps(&self, tokens: usize) -> Vec<(std::ops::Range<usize>, &'static str)> {
        let stages = self.stages(Extent { tokens, sequences: 1, outputs: 1 });
        stages.iter().map(|stage| (stage.steps.clone(), stage.dispatches[0].kernel)).collect()
    }

    /// Reads chunks of so many tokens from now on, at most 512, until it has learnt better.
    pub fn set_max_tokens(&mut self, tokens: usize) {
        self.chunk_tokens = ChunkTokens::of(tokens);
    }

    /// Time that some stages take together over a chunk of the first tokens of the vocabulary: the device's own where it has
    /// timestamps, else with submission and waiting. Which stages ran before does not matter to their cost.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn time_stages(&self, stages: &[usize], tokens: usize) -> Result<Duration> {
        let extent = Extent { tokens: tokens.min(ChunkTokens::MOST), sequences: 1, outputs: 1 };
        let ids: Vec<u32> = (0..extent.tokens as u32).map(|id| id % self.vocab_size as u32).collect();
        self.write_batch(&ids, extent, &[self.slots.of(0)]);
        let all = self.stages(extent);
        self.gpu
            .time_pass(|pass| {
                for dispatch in stages.iter().flat_map(|&stage| &all[stage].dispatches) {
                    dispatch.encode(pass, extent);
                }
            })
            .await
    }

    async fn run(&mut self, tokens: &[u32], extent: Extent, slots: &[[u32; 2]]) -> Result<Vec<f32>> {
        self.gpu.check()?;
        self.write_batch(tokens, extent, slots);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        encode(&mut encoder, self.wanted_stages(extent), extent);
        if extent.outputs == 0 {
            self.gpu.queue.submit([encoder.finish()]);
            self.gpu.finish().await?;
            return Ok(Vec::new());
        }
        let floats = extent.outputs * self.vocab_size;
        let logits = self.storage.buffer(self.plan.logits).plain();
        encoder.copy_buffer_to_buffer(&logits, 0, &self.staging, 0, 4 * floats as u64);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.read_floats(&self.staging, floats).await
    }

    async fn read_chunk(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, self.max_tokens(), self.vocab_size)?;
        let extent = Extent { tokens: tokens.len(), sequences: 1, outputs: outputs.count(tokens.len()) };
        assert!(extent.outputs <= MAX_OUTPUTS, "logits of at most {MAX_OUTPUTS} tokens, not {}", extent.outputs);
        let start = Instant::now();
        let logits = self.run(tokens, extent, &[self.slots.of(sequence)]).await?;
        self.chunk_tokens.learn(tokens.len(), start.elapsed());
        self.advance(sequence, tokens.len());
        Ok(logits)
    }

    async fn read_one_each(&mut self, tokens: &[(usize, u32)]) -> Result<Vec<f32>> {
        assert!(tokens.len() <= MAX_SEQUENCES, "a batch has at most {MAX_SEQUENCES} sequences");
        let ids: Vec<u32> = tokens.iter().map(|&(_, token)| token).collect();
        check_tokens(&ids, MAX_SEQUENCES, self.vocab_size)?;
        // One token moves a state in place: who reads a value is who writes it.
        let slots: Vec<_> = tokens.iter().map(|&(sequence, _)| [self.slots.of(sequence)[0]; 2]).collect();
        let extent = Extent { tokens: 1, sequences: tokens.len(), outputs: tokens.len() };
        let logits = self.run(&ids, extent, &slots).await?;
        for &(sequence, _) in tokens {
            self.positions[sequence] += 1;
        }
        Ok(logits)
    }

    /// The slots that a sequence's next chunk reads and writes.
    pub(super) fn current_slots(&self, sequence: usize) -> [u32; 2] {
        self.slots.of(sequence)
    }

    /// A chunk has been run for a sequence.
    pub(super) fn advance(&mut self, sequence: usize, tokens: usize) {
        self.slots.advance(sequence);
        self.positions[sequence] += tokens as u64;
    }

    fn memory_bytes(&self) -> u64 {
        self.weights.iter().map(DeviceWeight::bytes).sum::<u64>() + self.storage.bytes() + self.staging.size()
    }

    /// Each layer's part of one state of a sequence: the layer's buffer, the first byte there, and the floats.
    fn layers_of<'a>(
        &self,
        buffers: &'a [wgpu::Buffer],
        sequence: usize,
        floats: usize,
    ) -> Vec<(&'a wgpu::Buffer, u64)> {
        let [slot, _] = self.slots.of(sequence);
        buffers.iter().map(|buffer| (buffer, u64::from(slot) * 4 * floats as u64)).collect()
    }
}

/// Encodes stages in one pass.
pub(super) fn encode<'a>(encoder: &mut wgpu::CommandEncoder, stages: impl Iterator<Item = &'a Stage>, extent: Extent) {
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for dispatch in stages.flat_map(|stage| &stage.dispatches) {
        dispatch.encode(&mut pass, extent);
    }
}

impl Executor for GpuExecutor {
    fn config(&self) -> &Config {
        &self.config
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn max_tokens(&self) -> usize {
        self.chunk_tokens.get()
    }

    fn max_outputs(&self) -> usize {
        MAX_OUTPUTS
    }

    fn backend(&self) -> Backend {
        Backend {
            kind: self.gpu.kind(),
            adapter: self.gpu.adapter_name(),
            activations: self.activations,
            memory_bytes: self.memory_bytes(),
        }
    }

    fn instruments(&self) -> Option<&dyn Instruments> {
        Some(self)
    }

    fn forward<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        outputs: Outputs,
    ) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(self.read_chunk(sequence, tokens, outputs))
    }

    fn decode_batch<'a>(&'a mut self, tokens: &'a [(usize, u32)]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(self.read_one_each(tokens))
    }

    fn sequences(&self) -> usize {
        self.positions.len()
    }

    fn set_sequences(&mut self, count: usize) -> LocalBoxFuture<'_, Result<()>> {
        assert!((1..=MAX_SEQUENCES).contains(&count), "1 to {MAX_SEQUENCES} sequences, not {count}");
        Box::pin(async move {
            let memory = self.gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let slots = Slots::new(count);
            self.storage.states = States::new(&self.gpu, &self.config, slots.count());
            (self.slots, self.positions) = (slots, vec![0; count]);
            self.make_stages();
            match memory.pop().await {
                None => self.gpu.check(),
                Some(_) => Err(Error::OutOfMemory {
                    what: format!("{count} states on this GPU"),
                    needed: (self.slots.count() * self.config.state_bytes()) as u64,
                    available: None,
                }),
            }
        })
    }

    fn reset(&mut self, sequence: usize) -> Result<()> {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let lengths = [self.config.conv_state_len(), self.config.ssm_state_len()];
        for (buffers, floats) in [&self.storage.states.conv, &self.storage.states.ssm].into_iter().zip(lengths) {
            // A convolution of one tap has no past.
            for (buffer, offset) in self.layers_of(buffers, sequence, floats).into_iter().filter(|_| floats > 0) {
                encoder.clear_buffer(buffer, offset, Some(4 * floats as u64));
            }
        }
        self.gpu.queue.submit([encoder.finish()]);
        self.positions[sequence] = 0;
        self.gpu.check()
    }

    fn read_state(&self, sequence: usize) -> LocalBoxFuture<'_, Result<State>> {
        Box::pin(async move {
            let (conv, ssm) = (self.config.conv_state_len(), self.config.ssm_state_len());
            let states = &self.storage.states;
            Ok(State {
                position: self.positions[sequence],
                conv: self.gpu.read_parts(&self.layers_of(&states.conv, sequence, conv), conv).await?,
                ssm: self.gpu.read_parts(&self.layers_of(&states.ssm, sequence, ssm), ssm).await?,
            })
        })
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(&self.config)?;
        let write = |buffers: &[wgpu::Buffer], floats: &[f32], len: usize| {
            // A convolution of one tap has no past: nothing to write, and no chunks of no floats.
            let parts = self.layers_of(buffers, sequence, len);
            for ((buffer, offset), layer) in parts.into_iter().zip(floats.chunks_exact(len.max(1))) {
                self.gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(layer));
            }
        };
        write(&self.storage.states.conv, &state.conv, self.config.conv_state_len());
        write(&self.storage.states.ssm, &state.ssm, self.config.ssm_state_len());
        self.positions[sequence] = state.position;
        self.gpu.check()
    }
}
