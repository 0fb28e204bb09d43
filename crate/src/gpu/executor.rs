//! The GPU executor: a runner of the loaded model, the sequences, the steps that run ahead, and the size of a chunk. Each keeps its
//! own invariants; this file puts them together to an [`Executor`].

use std::ops::Range;

use futures_util::future::LocalBoxFuture;
use web_time::Instant;

use crate::error::{Error, Result};
use crate::executor::{Activations, Backend, Executor, MAX_SEQUENCES, Memory, Outputs, check_tokens};
use crate::gpu::device::Gpu;
use crate::gpu::lowering::{Extent, Stage};
use crate::gpu::resources::{self, MAX_OUTPUTS, steps_ahead};
use crate::gpu::run::{ChunkTokens, LoadedModel, RunAhead, Runner, Sequences, hidden_states};
use crate::instruments::Instruments;
use crate::model::{ModelFile, Network, Plan, State, Weights};
use crate::sampler::Sampler;

/// A model on a GPU.
pub struct GpuExecutor {
    runner: Runner,
    sequences: Sequences,
    /// None where the device cannot sample from this vocabulary.
    run_ahead: Option<RunAhead>,
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
        file: &ModelFile,
        activations: Activations,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        if let Some(refusal) = Self::refusal(&file.network, &file.weights, activations, gpu.max_binding_bytes) {
            return Err(refusal);
        }
        // Browsers report a buffer that found no memory later than the call that made it: the scope waits for that.
        let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let sequences = Sequences::new(1, steps_ahead(file.network.state_bytes()));
        let model = LoadedModel::load(gpu, file, activations, sequences.slots(), progress).await?;
        let mut runner = Runner::new(model);
        let run_ahead = RunAhead::new(&mut runner, sequences.len());
        runner.model().gpu().finish().await?;
        match memory.pop().await {
            None => Ok(Self { runner, sequences, run_ahead, chunk_tokens: ChunkTokens::default() }),
            Some(_) => Err(Error::OutOfMemory {
                what: "the model on this GPU".into(),
                needed: runner.bytes(),
                available: None,
            }),
        }
    }

    /// What a model takes on a device, before anything is loaded.
    pub fn memory_needed(network: &Network, weights: &Weights) -> Memory {
        resources::memory_needed(network, weights)
    }

    /// The smallest storage binding with which a model can run, in bytes.
    pub fn largest_binding(network: &Network, weights: &Weights) -> u64 {
        resources::largest_binding(network, weights)
    }

    /// Why a device whose bindings hold `max_binding_bytes` cannot hold a model, where it cannot.
    pub fn refusal(
        network: &Network,
        weights: &Weights,
        activations: Activations,
        max_binding_bytes: u64,
    ) -> Option<Error> {
        resources::refusal(network, weights, activations, max_binding_bytes)
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.network().plan
    }

    /// Reads chunks of `tokens`, at most 512, until it has learnt a better number.
    pub fn set_max_tokens(&mut self, tokens: usize) {
        self.chunk_tokens = ChunkTokens::of(tokens);
    }

    /// The steps of each stage over a chunk of `tokens`, and the kernel that runs them.
    pub fn stage_steps(&self, tokens: usize) -> Vec<(Range<usize>, &'static str)> {
        let extent = Extent { tokens, sequences: 1, outputs: 1 };
        let kernel = |stage: &Stage| stage.dispatches.iter().find(|d| d.runs(extent)).map(|d| d.kernel());
        let stages = self.runner.model().stages(extent).iter();
        stages.filter_map(|stage| Some((stage.steps.clone(), kernel(stage)?))).collect()
    }

    /// For tools: the runner, to run single stages of what [`GpuExecutor::begin_stages`] prepared.
    pub(in crate::gpu) fn runner(&self) -> &Runner {
        &self.runner
    }

    /// For tools: prepares a chunk of sequence 0, whose stages the caller runs one by one.
    pub(in crate::gpu) fn begin_stages(&mut self, tokens: &[u32], extent: Extent) {
        self.roll_back();
        self.runner.prepare(tokens, extent, &[self.sequences.next_chunk(0)]);
    }

    /// For tools: all stages of the chunk have run.
    pub(in crate::gpu) fn end_stages(&mut self, extent: Extent) {
        self.sequences.advance(0, extent.tokens);
    }

    /// For tools: the slots that a chunk of sequence 0 would read and write now.
    pub(in crate::gpu) fn next_slots(&self) -> [u32; 2] {
        self.sequences.next_chunk(0)
    }

    /// What runs ahead is rolled back, and every state is the one that the caller knows.
    fn roll_back(&mut self) {
        if let Some(run_ahead) = &mut self.run_ahead {
            run_ahead.roll_back(&mut self.sequences);
        }
    }

    fn replace_sequences(&mut self, sequences: Sequences) {
        self.runner.model_mut().replace_states(sequences.slots());
        self.run_ahead = RunAhead::new(&mut self.runner, sequences.len());
        self.sequences = sequences;
    }

    async fn run_chunk(&mut self, sequence: usize, tokens: &[u32], outputs: usize) -> Result<Vec<f32>> {
        self.roll_back();
        let start = Instant::now();
        let extent = Extent { tokens: tokens.len(), sequences: 1, outputs };
        self.runner.prepare(tokens, extent, &[self.sequences.next_chunk(sequence)]);
        let logits = self.runner.run(extent).await?;
        self.chunk_tokens.learn(tokens.len(), start.elapsed());
        self.sequences.advance(sequence, tokens.len());
        Ok(logits)
    }

    async fn forward_chunk(&mut self, sequence: usize, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, self.max_tokens(), self.vocab_size())?;
        let outputs = outputs.count(tokens.len());
        assert!(outputs <= MAX_OUTPUTS, "logits of at most {MAX_OUTPUTS} tokens, not {outputs}");
        self.run_chunk(sequence, tokens, outputs).await
    }

    async fn decode_each(&mut self, tokens: &[(usize, u32)]) -> Result<Vec<f32>> {
        let ids: Vec<u32> = tokens.iter().map(|&(_, token)| token).collect();
        check_tokens(&ids, MAX_SEQUENCES, self.vocab_size())?;
        self.roll_back();
        let extent = Extent { tokens: 1, sequences: tokens.len(), outputs: tokens.len() };
        let slots: Vec<_> = tokens.iter().map(|&(sequence, _)| self.sequences.in_place(sequence)).collect();
        self.runner.prepare(&ids, extent, &slots);
        tokens.iter().for_each(|&(sequence, _)| self.sequences.count(sequence, 1));
        self.runner.run(extent).await
    }

    async fn sample_next(&mut self, sequence: usize, tokens: &[u32], sampler: &mut Sampler) -> Result<u32> {
        check_tokens(tokens, self.max_tokens(), self.vocab_size())?;
        self.runner.model().gpu().check()?;
        let Some(run_ahead) = self.run_ahead.as_mut().filter(|_| !sampler.needs_logits()) else {
            let mut logits = self.run_chunk(sequence, tokens, 1).await?;
            return sampler.sample(&mut logits);
        };
        // Several sequences take turns: what one ran ahead, the next would roll back.
        let alone = self.sequences.len() == 1;
        let ahead = if alone { steps_ahead(self.runner.model().network().state_bytes()) } else { 0 };
        let rows = [sequence];
        let samplers = &mut [sampler];
        let ids = run_ahead.sample(&self.runner, &mut self.sequences, (&rows, tokens), samplers, ahead).await?;
        Ok(ids[0])
    }

    async fn sample_each(&mut self, tokens: &[(usize, u32)], samplers: &mut [&mut Sampler]) -> Result<Vec<u32>> {
        assert_eq!(tokens.len(), samplers.len(), "a sampler for each sequence");
        let ids: Vec<u32> = tokens.iter().map(|&(_, token)| token).collect();
        check_tokens(&ids, MAX_SEQUENCES, self.vocab_size())?;
        self.runner.model().gpu().check()?;
        let needs_logits = samplers.iter().any(|sampler| sampler.needs_logits());
        let Some(run_ahead) = self.run_ahead.as_mut().filter(|_| !needs_logits) else {
            let vocab_size = self.vocab_size();
            let mut logits = self.decode_each(tokens).await?;
            let rows = logits.chunks_exact_mut(vocab_size).zip(samplers);
            return rows.map(|(row, sampler)| sampler.sample(row)).collect();
        };
        let rows: Vec<usize> = tokens.iter().map(|&(sequence, _)| sequence).collect();
        // What cannot be rolled back does not run ahead.
        let ahead = usize::from(self.sequences.can_roll_back(rows.len()));
        run_ahead.sample(&self.runner, &mut self.sequences, (&rows, &ids), samplers, ahead).await
    }

    /// Each tensor of a sequence's state: its buffer, its first byte there, and its floats.
    fn state_tensors(&self, sequence: usize) -> Vec<(&wgpu::Buffer, u64, usize)> {
        self.runner.model().storage().state_in(self.network(), self.sequences.state_slot(sequence))
    }
}

impl Executor for GpuExecutor {
    fn network(&self) -> &Network {
        self.runner.model().network()
    }

    fn max_tokens(&self) -> usize {
        self.chunk_tokens.get()
    }

    fn max_outputs(&self) -> usize {
        MAX_OUTPUTS
    }

    fn backend(&self) -> Backend {
        let model = self.runner.model();
        Backend {
            kind: model.gpu().kind(),
            adapter: model.gpu().adapter_name(),
            activations: model.activations(),
            memory_bytes: self.runner.bytes(),
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
        Box::pin(self.forward_chunk(sequence, tokens, outputs))
    }

    fn decode_batch<'a>(&'a mut self, tokens: &'a [(usize, u32)]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(self.decode_each(tokens))
    }

    fn hidden<'a>(&'a mut self, sequence: usize, tokens: &'a [u32]) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move {
            self.forward_chunk(sequence, tokens, Outputs::None).await?;
            hidden_states(self.runner.model(), tokens.len()).await
        })
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
        self.sequences.len()
    }

    fn set_sequences(&mut self, count: usize) -> LocalBoxFuture<'_, Result<()>> {
        assert!((1..=MAX_SEQUENCES).contains(&count), "1 to {MAX_SEQUENCES} sequences, not {count}");
        Box::pin(async move {
            let state_bytes = self.network().state_bytes();
            // Without room for as many spare states no step runs ahead.
            let spares = if count == 1 { [steps_ahead(state_bytes), 1] } else { [count, 1] };
            for spare in spares {
                let gpu = self.runner.model().gpu();
                let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
                self.replace_sequences(Sequences::new(count, spare));
                if memory.pop().await.is_none() {
                    return self.runner.model().gpu().check();
                }
            }
            Err(Error::OutOfMemory {
                what: format!("{count} states on this GPU"),
                needed: (self.sequences.slots() * state_bytes) as u64,
                available: None,
            })
        })
    }

    fn reset(&mut self, sequence: usize) -> Result<()> {
        self.roll_back();
        let gpu = self.runner.model().gpu();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for (buffer, offset, floats) in self.state_tensors(sequence).into_iter().filter(|(_, _, floats)| *floats > 0) {
            encoder.clear_buffer(buffer, offset, Some(4 * floats as u64));
        }
        gpu.queue.submit([encoder.finish()]);
        self.sequences.set_position(sequence, 0);
        self.runner.model().gpu().check()
    }

    fn read_state(&mut self, sequence: usize) -> LocalBoxFuture<'_, Result<State>> {
        self.roll_back();
        Box::pin(async move {
            let parts = self.state_tensors(sequence);
            let all = self.runner.model().gpu().read_parts(&parts).await?;
            let mut rest = all.as_slice();
            let tensors = parts.iter().map(|&(_, _, floats)| rest.split_off(..floats).unwrap_or_default().to_vec());
            Ok(State { position: self.sequences.position(sequence), tensors: tensors.collect() })
        })
    }

    fn write_state(&mut self, sequence: usize, state: &State) -> Result<()> {
        state.check(self.network())?;
        self.roll_back();
        let gpu = self.runner.model().gpu();
        let tensors = self.state_tensors(sequence).into_iter().zip(&state.tensors);
        for ((buffer, offset, _), values) in tensors.filter(|(_, values)| !values.is_empty()) {
            gpu.queue.write_buffer(buffer, offset, bytemuck::cast_slice(values));
        }
        self.sequences.set_position(sequence, state.position);
        self.runner.model().gpu().check()
    }
}
