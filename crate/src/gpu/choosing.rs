//! Choosing tokens on the device, and running ahead of the host: the next step is submitted before the last id has arrived,
//! since the device knows the id already. What ran too far is undone by taking the state's older slot again.

use std::collections::VecDeque;

use super::executor::GpuExecutor;
use super::sampling::{GpuSampler, NOT_FINITE, SamplingShape};
use super::stages::Extent;
use crate::error::{Error, Result};
use crate::executor::{MAX_SEQUENCES, check_tokens};
use crate::sampler::{HIGHEST_LOGIT, Sampler};

/// Steps that run ahead of the host where states are small enough to keep that many: a short step needs several to hide what
/// reading an id back takes.
const MOST_AHEAD: usize = 3;
/// Bytes that the states kept for undoing may take beyond the one that a chunk needs in any case.
const AHEAD_BYTES: usize = 64 << 20;

/// How many steps run ahead for one sequence with states of so many bytes.
pub(super) fn steps_ahead(state_bytes: usize) -> usize {
    (1 + AHEAD_BYTES / state_bytes.max(1)).min(MOST_AHEAD)
}

/// Steps that have been submitted and whose ids the host has not taken.
#[derive(Default)]
pub struct RunAhead {
    steps: VecDeque<InFlight>,
    /// The sequences that they read for, a row each.
    rows: Vec<usize>,
    /// The ids that the host took last, which the first of them reads.
    ids: Vec<u32>,
    /// Draw the random numbers of steps to come, one a row; the caller's samplers follow id by id.
    samplers: Vec<Sampler>,
    /// Number of the next step among those that the device's sampler has room for.
    next: usize,
    /// Buffers to read ids from, not in use.
    staging: Vec<wgpu::Buffer>,
}

struct InFlight {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    mapped: futures_channel::oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
    ids: usize,
}

impl GpuExecutor {
    pub(super) fn make_sampler(&mut self) {
        let shape = SamplingShape {
            vocab_size: self.network.vocab_size,
            stride: self.network.vocab_size,
            rows: self.positions.len(),
            steps: MOST_AHEAD + 1,
        };
        let logits = self.storage.buffer(self.network.plan.logits).plain();
        self.sampler = GpuSampler::new(&self.gpu, &mut self.pipelines, shape, &logits, &self.storage.tokens);
    }

    /// Forgets what ran ahead: the states are again those that the host knows.
    pub(super) fn settle(&mut self) {
        for _ in 0..self.ahead.steps.len() {
            self.ahead.rows.iter().rev().for_each(|&sequence| self.slots.undo(sequence));
        }
        // Their buffers are still being mapped, and go with them.
        self.ahead.steps.clear();
        self.ahead.rows.clear();
    }

    /// Reads `tokens` and chooses the one after them, on the device where it can.
    pub(super) async fn sample_next(&mut self, sequence: usize, tokens: &[u32], sampler: &mut Sampler) -> Result<u32> {
        check_tokens(tokens, self.chunk_tokens.get(), self.network.vocab_size)?;
        self.gpu.check()?;
        if self.sampler.is_none() {
            let extent = Extent { tokens: tokens.len(), sequences: 1, outputs: 1 };
            let mut logits = self.run_chunk(sequence, tokens, extent).await?;
            return sampler.sample(&mut logits);
        }
        // Several sequences take turns: what one ran ahead, the next would undo.
        let ahead = if self.positions.len() == 1 { steps_ahead(self.network.state_bytes()) } else { 0 };
        Ok(self.sample_rows(&[sequence], tokens, &mut [sampler], ahead).await?[0])
    }

    /// Reads one token into each sequence and chooses the ones after them.
    pub(super) async fn sample_each(
        &mut self,
        tokens: &[(usize, u32)],
        samplers: &mut [&mut Sampler],
    ) -> Result<Vec<u32>> {
        assert_eq!(tokens.len(), samplers.len(), "a sampler for each sequence");
        let rows: Vec<usize> = tokens.iter().map(|&(sequence, _)| sequence).collect();
        let ids: Vec<u32> = tokens.iter().map(|&(_, token)| token).collect();
        check_tokens(&ids, MAX_SEQUENCES, self.network.vocab_size)?;
        self.gpu.check()?;
        if self.sampler.is_none() {
            let mut logits = self.read_one_each(tokens).await?;
            let rows = logits.chunks_exact_mut(self.network.vocab_size).zip(samplers);
            return rows.map(|(row, sampler)| sampler.sample(row)).collect();
        }
        // What cannot be undone does not run ahead.
        let ahead = usize::from(self.moves_states(rows.len()));
        self.sample_rows(&rows, &ids, samplers, ahead).await
    }

    /// Reads as many of `tokens` into each of some sequences, and chooses the ones after them; `ahead` steps are submitted
    /// beyond those that are asked for.
    async fn sample_rows(
        &mut self,
        rows: &[usize],
        tokens: &[u32],
        samplers: &mut [&mut Sampler],
        ahead: usize,
    ) -> Result<Vec<u32>> {
        if self.ahead.rows != rows || self.ahead.ids != tokens {
            self.settle();
            self.ahead.rows = rows.to_vec();
            self.ahead.samplers = samplers.iter().map(|sampler| (**sampler).clone()).collect();
            if let Some(device_sampler) = &self.sampler {
                samplers.iter().enumerate().for_each(|(row, sampler)| device_sampler.start(row, sampler));
            }
        }
        if self.ahead.steps.is_empty() {
            self.submit_choice(Some(tokens));
        }
        rows.iter().for_each(|&sequence| self.positions[sequence] += (tokens.len() / rows.len()) as u64);
        while self.ahead.steps.len() <= ahead {
            self.submit_choice(None);
        }
        let Some(step) = self.ahead.steps.pop_front() else { unreachable!("one was submitted just now") };
        let ids = self.take_ids(step).await?;
        if ids.iter().any(|id| id & NOT_FINITE != 0) {
            self.settle();
            return Err(Error::NotFinite { what: HIGHEST_LOGIT.into() });
        }
        self.ahead.ids.clone_from(&ids);
        // The callers' generators go on as if they had drawn these themselves.
        samplers.iter_mut().for_each(|sampler| {
            sampler.next_random();
        });
        Ok(ids)
    }

    /// True where a step of so many sequences leaves their states as they were, and writes others.
    fn moves_states(&self, sequences: usize) -> bool {
        sequences <= self.slots.spares()
    }

    /// Submits a step that reads `tokens`, or where there are none the tokens that the device chose last, and chooses.
    fn submit_choice(&mut self, tokens: Option<&[u32]>) {
        let RunAhead { rows, samplers, next, .. } = &mut self.ahead;
        let rows = rows.clone();
        let step = *next;
        *next = (step + 1) % (MOST_AHEAD + 1);
        let randoms: Vec<u32> = samplers.iter_mut().map(Sampler::next_random).collect();
        if let Some(device_sampler) = &self.sampler {
            device_sampler.prepare_step(step, &randoms);
        }
        let each = tokens.map_or(1, |tokens| tokens.len() / rows.len());
        let extent = Extent { tokens: each, sequences: rows.len(), outputs: rows.len() };
        let moves = self.moves_states(rows.len());
        let slots: Vec<[u32; 2]> = rows.iter().map(|&sequence| self.slots_of_step(sequence, moves)).collect();
        self.write_batch(tokens.unwrap_or_default(), extent, &slots);
        let submitted = self.submit(extent, step);
        self.ahead.steps.push_back(submitted);
    }

    /// The slots that a step reads and writes, which it is then past. One token can also move a state in place: who reads a
    /// value is who writes it.
    fn slots_of_step(&mut self, sequence: usize, moves: bool) -> [u32; 2] {
        let slots = self.slots.of(sequence);
        if !moves {
            return [slots[0]; 2];
        }
        self.slots.advance(sequence);
        slots
    }

    /// Submits all stages and the choice from every row of logits.
    fn submit(&mut self, extent: Extent, step: usize) -> InFlight {
        let Some(device_sampler) = &self.sampler else { unreachable!("checked by the callers") };
        let mut encoder = self.encode_parts(extent);
        device_sampler.encode(&mut encoder.begin_compute_pass(&Default::default()), step, extent.outputs);
        let staging = self.ahead.staging.pop().unwrap_or_else(|| {
            self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("ids"),
                size: 4 * MAX_SEQUENCES as u64,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let bytes = 4 * extent.outputs as u64;
        let from = 4 * (step * self.positions.len()) as u64;
        encoder.copy_buffer_to_buffer(device_sampler.ids(), from, &staging, 0, bytes);
        let submission = self.gpu.queue.submit([encoder.finish()]);
        let (sender, mapped) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // The receiver is gone only where the step was undone.
            let _ = sender.send(result);
        });
        InFlight { staging, submission, mapped, ids: extent.outputs }
    }

    async fn take_ids(&mut self, step: InFlight) -> Result<Vec<u32>> {
        self.gpu.wait_for(step.submission)?;
        self.gpu.mapped(step.mapped.await).await?;
        let view = self.gpu.view(&step.staging, 4 * step.ids as u64)?;
        let ids = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        step.staging.unmap();
        self.ahead.staging.push(step.staging);
        Ok(ids)
    }
}
