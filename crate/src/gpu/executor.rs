//! Runs a plan's steps on a device.

use futures_util::future::LocalBoxFuture;
use web_time::Instant;

use super::Gpu;
use super::choosing::{RunAhead, steps_ahead};
use super::chunk_tokens::ChunkTokens;
use super::compiling::Compiling;
use super::drafts::Drafter;
use super::pipelines::Pipelines;
use super::sampling::GpuSampler;
use super::slots::Slots;
use super::stages::{Extent, Stage, build, chunk_stages, decode_stages, programs};
use super::storage::{States, Storage};
use super::weights::{DeviceWeight, allocate, upload};
use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, MAX_SEQUENCES, Memory, Outputs, check_tokens};
use crate::instruments::Instruments;
use crate::model::{ModelFile, Network, Plan, State, Weights};
use crate::sampler::Sampler;

/// The most tokens whose logits one submission gives.
pub(super) const MAX_OUTPUTS: usize = MAX_SEQUENCES;

/// A model on a GPU.
pub struct GpuExecutor {
    pub(super) gpu: Gpu,
    pub(super) network: Network,
    pub(super) activations: Activations,
    pub(super) weights: Vec<DeviceWeight>,
    pub(super) storage: Storage,
    /// Receives the logits, (MAX_OUTPUTS, vocab_size), for the host to read.
    staging: wgpu::Buffer,
    pub(super) pipelines: Pipelines,
    /// Chunks and batches: a stage a step.
    pub(super) chunk: Vec<Stage>,
    /// One token of one sequence, in joined steps.
    pub(super) decode: Vec<Stage>,
    pub(super) slots: Slots,
    pub(super) positions: Vec<u64>,
    pub(super) chunk_tokens: ChunkTokens,
    /// None where the device cannot choose from this vocabulary.
    pub(super) sampler: Option<GpuSampler>,
    pub(super) ahead: RunAhead,
}

impl GpuExecutor {
    /// Uploads every weight and makes every pipeline. `progress` is called with each number of bytes read.
    ///
    /// # Errors
    /// What reading gives; [`crate::Error::OutOfMemory`] where a tensor does not fit a binding; [`crate::Error::Gpu`] where
    /// the device refuses or has no memory left.
    pub async fn load(
        gpu: Gpu,
        file: &ModelFile,
        activations: Activations,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let ModelFile { gguf, network, weights } = file;
        if let Some(refusal) = Self::refusal(network, weights, activations, gpu.max_binding_bytes) {
            return Err(refusal);
        }
        // Browsers report a buffer that found no memory later than the call that made it: the scope waits for that.
        let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let slots = Slots::new(1, steps_ahead(network.state_bytes()));
        let rooms = weights.all().iter().map(|weight| allocate(&gpu, weight)).collect::<Result<Vec<_>>>()?;
        let storage = Storage::new(&gpu, network, activations, (ChunkTokens::MOST, MAX_OUTPUTS, slots.count()));
        let logits = storage.buffer(network.plan.logits).plain();
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: logits.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut executor = Self {
            gpu,
            network: network.clone(),
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
            sampler: None,
            ahead: RunAhead::default(),
        };
        let compiling = executor.start_pipelines();
        upload(&executor.gpu, gguf, weights, &executor.weights, progress).await?;
        executor.storage.join(&executor.gpu, &executor.weights);
        executor.pipelines.finish(compiling).await?;
        executor.make_stages();
        executor.make_sampler();
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
    pub fn memory_needed(network: &Network, weights: &Weights) -> Memory {
        Memory {
            weights: weights.all().iter().map(super::weights::device_bytes).sum(),
            ..Memory::needed(
                network,
                weights,
                ChunkTokens::MOST,
                MAX_OUTPUTS,
                Slots::new(1, steps_ahead(network.state_bytes())).count(),
            )
        }
    }

    fn drafter(&self) -> Drafter<'_> {
        Drafter {
            gpu: &self.gpu,
            network: &self.network,
            weights: &self.weights,
            storage: &self.storage,
            activations: self.activations,
        }
    }

    /// Starts to make every pipeline, so that they are there when the weights are.
    fn start_pipelines(&mut self) -> Compiling {
        let drafter = self.drafter();
        let stages = [decode_stages(&drafter).unwrap_or_default(), chunk_stages(&drafter)];
        let stages = stages.iter().flat_map(|stages| programs(&self.gpu, stages));
        let all: Vec<_> = GpuSampler::programs(&self.gpu).into_iter().rev().chain(stages).collect();
        self.pipelines.start(&self.gpu, all.into_iter())
    }

    fn make_stages(&mut self) {
        let drafter = self.drafter();
        let (decode, chunk) = (decode_stages(&drafter), chunk_stages(&drafter));
        let mut build = |stages| build(&self.gpu, &mut self.pipelines, &self.storage.batch, stages);
        self.decode = decode.map(&mut build).unwrap_or_default();
        self.chunk = build(chunk);
    }

    fn make_states(&mut self, slots: Slots, sequences: usize) {
        self.storage.states = States::new(&self.gpu, &self.network, slots.count());
        (self.slots, self.positions) = (slots, vec![0; sequences]);
        self.ahead = RunAhead::default();
        self.make_stages();
        self.make_sampler();
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.network.plan
    }

    /// Reads chunks of so many tokens from now on, at most 512, until it has learnt better.
    pub fn set_max_tokens(&mut self, tokens: usize) {
        self.chunk_tokens = ChunkTokens::of(tokens);
    }

    async fn run(&mut self, extent: Extent) -> Result<Vec<f32>> {
        self.gpu.check()?;
        let mut encoder = self.encode_parts(extent);
        if extent.outputs == 0 {
            self.gpu.queue.submit([encoder.finish()]);
            self.gpu.finish().await?;
            return Ok(Vec::new());
        }
        let floats = extent.outputs * self.network.vocab_size;
        let logits = self.storage.buffer(self.network.plan.logits).plain();
        encoder.copy_buffer_to_buffer(&logits, 0, &self.staging, 0, 4 * floats as u64);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.read_floats(&self.staging, floats).await
    }

    pub(super) async fn run_chunk(&mut self, sequence: usize, tokens: &[u32], extent: Extent) -> Result<Vec<f32>> {
        self.settle();
        let start = Instant::now();
        self.write_batch(tokens, extent, &[self.slots.of(sequence)]);
        let logits = self.run(extent).await?;
        self.chunk_tokens.learn(tokens.len(), start.elapsed());
        self.advance(sequence, tokens.len());
        Ok(logits)
    }

    async fn read_chunk(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, self.max_tokens(), self.network.vocab_size)?;
        let extent = Extent { tokens: tokens.len(), sequences: 1, outputs: outputs.count(tokens.len()) };
        assert!(extent.outputs <= MAX_OUTPUTS, "logits of at most {MAX_OUTPUTS} tokens, not {}", extent.outputs);
        self.run_chunk(sequence, tokens, extent).await
    }

    pub(super) async fn read_one_each(&mut self, tokens: &[(usize, u32)]) -> Result<Vec<f32>> {
        let ids: Vec<u32> = tokens.iter().map(|&(_, token)| token).collect();
        check_tokens(&ids, MAX_SEQUENCES, self.network.vocab_size)?;
        self.settle();
        let extent = self.write_each(tokens, &ids);
        self.run(extent).await
    }

    /// Tells the device one token for each of some sequences.
    pub(super) fn write_each(&mut self, tokens: &[(usize, u32)], ids: &[u32]) -> Extent {
        // One token moves a state in place: who reads a value is who writes it.
        let slots: Vec<_> = tokens.iter().map(|&(sequence, _)| [self.slots.of(sequence)[0]; 2]).collect();
        let extent = Extent { tokens: 1, sequences: tokens.len(), outputs: tokens.len() };
        self.write_batch(ids, extent, &slots);
        for &(sequence, _) in tokens {
            self.positions[sequence] += 1;
        }
        extent
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

    /// Each tensor of a sequence's state that has numbers (the past of a convolution of one tap has none): its buffer, the first
    /// byte there, and its floats.
    fn state_parts(&self, sequence: usize) -> Vec<(&wgpu::Buffer, u64, usize)> {
        let [slot, _] = self.slots.of(sequence);
        let tensors = self.storage.states.all().iter().zip(&self.network.state);
        let parts = tensors.map(|(buffer, tensor)| {
            let floats = tensor.floats();
            (buffer, u64::from(slot) * 4 * floats as u64, floats)
        });
        parts.collect()
    }
}

impl Executor for GpuExecutor {
    fn network(&self) -> &Network {
        &self.network
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

    fn sample<'a>(
        &'a mut self,
        sequence: usize,
        tokens: &'a [u32],
        sampler: &'a mut Sampler,
    ) -> LocalBoxFuture<'a, Result<u32>> {
        Box::pin(self.sample_next(sequence, tokens, sampler))
    }

    fn sample_batch<'a>(
        &'a mut self,
        tokens: &'a [(usize, u32)],
        samplers: &'a mut [&'a mut Sampler],
    ) -> LocalBoxFuture<'a, Result<Vec<u32>>> {
        Box::pin(self.sample_each(tokens, samplers))
    }

    fn sequences(&self) -> usize {
        self.positions.len()
    }

    fn set_sequences(&mut self, count: usize) -> LocalBoxFuture<'_, Result<()>> {
        assert!((1..=MAX_SEQUENCES).contains(&count), "1 to {MAX_SEQUENCES} sequences, not {count}");
        Box::pin(async move {
            // Without room for as many spare states no step runs ahead.
            let spares = if count == 1 { [steps_ahead(self.network.state_bytes()), 1] } else { [count, 1] };
            for spare in spares {
                let memory = self.gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
                self.make_states(Slots::new(count, spare), count);
                if memory.pop().await.is_none() {
                    return self.gpu.check();
                }
            }
            Err(Error::OutOfMemory {
                what: format!("{count} states on this GPU"),
                needed: (self.slots.count() * self.network.state_bytes()) as u64,
                available: None,
            })
        })
    }

    fn reset(&mut self, sequence: usize) -> Result<()> {
        self.settle();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for (buffer, offset, floats) in self.state_parts(sequence).into_iter().filter(|(_, _, floats)| *floats > 0) {
            encoder.clear_buffer(buffer, offset, Some(4 * floats as u64));
        }
        self.gpu.queue.submit([encoder.finish()]);
        self.positions[sequence] = 0;
        self.gpu.check()
    }

    fn read_state(&mut self, sequence: usize) -> LocalBoxFuture<'_, Result<State>> {
        self.settle();
        Box::pin(async move {
            let parts = self.state_parts(sequence);
            let all = self.gpu.read_parts(&parts).await?;
            let mut rest = all.as_slice();
            let tensors = parts.iter().map(|&(_, _, floats)| rest.split_off(..floats).unwrap_or_default().to_vec());
            Ok(State { position: self.positions[sequence], tensors: tensors.collect() })
        })
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(&self.network)?;
        self.settle();
        let parts = self.state_parts(sequence).into_iter().zip(&state.tensors);
        for ((buffer, offset, _), values) in parts.filter(|(_, values)| !values.is_empty()) {
            self.gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(values));
        }
        self.positions[sequence] = state.position;
        self.gpu.check()
    }
}
