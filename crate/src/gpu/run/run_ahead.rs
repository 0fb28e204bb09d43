//! Steps that sample on the device and run ahead of the host: the next step is submitted before the last id has arrived, since
//! the device has the id already. Steps that ran too far are rolled back: the slots of the states before them are intact.
//!
//! Where a mask says what may be sampled, and hangs on the last token, only the pass over that token runs ahead, and its sampling waits
//! for the mask: the host makes the mask while the device is at the pass.

use std::collections::VecDeque;

use super::runner::Runner;
use super::sampling::GpuSampler;
use super::sequences::Sequences;
use crate::error::{Error, Result};
use crate::executor::MAX_SEQUENCES;
use crate::gpu::kernels::NOT_FINITE;
use crate::gpu::lowering::Extent;
use crate::gpu::resources::MAX_STEPS_AHEAD;
use crate::sampler::{HIGHEST_LOGIT, Sampler};

/// Steps that the device's sampler has room for: those ahead, and the one that is asked for.
const SAMPLED_STEPS: usize = MAX_STEPS_AHEAD + 1;

/// So many tokens of one sequence are read one by one, by the kernels of a single token: a chunk takes its products in tiles of
/// `SMALL_BATCH` tokens, and costs almost five of these passes (on an H100 a step of 16 sequences takes 13.6 ms, one of a single
/// sequence 2.9 ms: tests/record/2026-11-26-scheduler.md).
pub const FEW_TOKENS: usize = 4;

/// Steps that have been submitted and whose ids the host has not read. All are of the same rows; each reads the ids that the
/// one before sampled. A caller that asks for other rows or ids than come next has them rolled back.
pub struct RunAhead {
    device_sampler: GpuSampler,
    in_flight: VecDeque<InFlight>,
    /// Whether the pass over `ids` has been submitted, and no sampling after it. Nothing else is in flight then.
    has_pass: bool,
    /// Of each row, whether a mask says what may be sampled.
    masked: Vec<bool>,
    /// The sequences that they read for, a row each.
    rows: Vec<usize>,
    /// The ids that the host read last, which the first of them reads.
    ids: Vec<u32>,
    /// Draw the random numbers of steps to come, one a row; the callers' samplers follow id by id.
    samplers: Vec<Sampler>,
    /// Number of the next step among those that the device's sampler has room for.
    next: usize,
    /// Buffers to read ids from, not in use.
    staging: Vec<wgpu::Buffer>,
}

/// What a step reads.
#[derive(Clone, Copy)]
enum Pass<'t> {
    /// As many of these tokens for each row.
    Over(&'t [u32]),
    /// The token that the device sampled last, of each row.
    OverSampled,
    /// Nothing: what it would read has been read.
    Done,
}

struct InFlight {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    mapped: futures_channel::oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
    ids: usize,
}

impl RunAhead {
    /// For a number of sequences. None where the device cannot sample from this model's vocabulary: tokens are then sampled from logits
    /// that are read back.
    pub fn new(runner: &mut Runner, sequences: usize) -> Option<Self> {
        let device_sampler = runner.model_mut().sampler(sequences, SAMPLED_STEPS)?;
        Some(Self {
            device_sampler,
            in_flight: VecDeque::new(),
            has_pass: false,
            masked: Vec::new(),
            rows: Vec::new(),
            ids: Vec::new(),
            samplers: Vec::new(),
            next: 0,
            staging: Vec::new(),
        })
    }

    /// Forgets the steps in flight: the states are again those that the host knows.
    pub fn roll_back(&mut self, sequences: &mut Sequences) {
        for _ in 0..self.in_flight.len() + usize::from(self.has_pass) {
            self.rows.iter().rev().for_each(|&sequence| sequences.roll_back(sequence));
        }
        // Their buffers are still being mapped, and are dropped with them.
        self.in_flight.clear();
        self.has_pass = false;
        self.rows.clear();
    }

    /// Reads as many of `tokens` into each of the sequences `rows`, and samples the ones after them; `ahead` further steps are
    /// submitted, or where one of the samplers has a mask, one pass.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a row's highest logit is not finite; [`Error::Gpu`] where the device fails.
    pub async fn sample(
        &mut self,
        runner: &Runner,
        sequences: &mut Sequences,
        (rows, tokens): (&[usize], &[u32]),
        samplers: &mut [&mut Sampler],
        ahead: usize,
    ) -> Result<Vec<u32>> {
        let masked: Vec<bool> = samplers.iter().map(|sampler| sampler.allowed().is_some()).collect();
        let is_next = self.rows == rows && self.ids == tokens;
        // Tokens that no sampling chose come after the one that was read ahead.
        let goes_on = is_next || (self.rows == rows && rows.len() == 1 && tokens.starts_with(&self.ids));
        let has_pass = self.has_pass && goes_on;
        if !is_next || self.masked != masked {
            if !has_pass {
                self.roll_back(sequences);
            }
            self.rows = rows.to_vec();
            self.samplers = samplers.iter().map(|sampler| (**sampler).clone()).collect();
            samplers.iter().enumerate().for_each(|(row, sampler)| self.device_sampler.start(row, sampler));
        }
        let rest = if has_pass { &tokens[self.ids.len()..] } else { tokens };
        let is_masked = masked.contains(&true);
        (self.has_pass, self.masked) = (false, masked);
        if self.in_flight.is_empty() {
            for (row, sampler) in samplers.iter().enumerate() {
                sampler.allowed().into_iter().for_each(|allowed| self.device_sampler.write_mask(row, allowed));
            }
            let is_few = rows.len() == 1 && rest.len() <= FEW_TOKENS;
            let (singly, together) = rest.split_at(if is_few { rest.len().saturating_sub(1) } else { 0 });
            for token in singly.chunks(1) {
                self.submit_pass(runner, sequences, token, 0);
            }
            self.submit_step(runner, sequences, if rest.is_empty() { Pass::Done } else { Pass::Over(together) });
        }
        rows.iter().for_each(|&sequence| sequences.count(sequence, tokens.len() / rows.len()));
        if is_masked && ahead > 0 {
            self.submit_pass(runner, sequences, &[], rows.len());
            self.has_pass = true;
        }
        while !is_masked && self.in_flight.len() <= ahead {
            self.submit_step(runner, sequences, Pass::OverSampled);
        }
        let Some(step) = self.in_flight.pop_front() else { unreachable!("one was submitted just now") };
        let ids = self.read_ids(runner, step).await?;
        if ids.iter().any(|id| id & NOT_FINITE != 0) {
            self.roll_back(sequences);
            return Err(Error::NotFinite { what: HIGHEST_LOGIT.into() });
        }
        self.ids.clone_from(&ids);
        // The callers' generators go on as if they had drawn these themselves.
        samplers.iter_mut().for_each(|sampler| {
            sampler.next_random();
        });
        Ok(ids)
    }

    /// Submits a pass, and the sampling from every row of logits.
    fn submit_step(&mut self, runner: &Runner, sequences: &mut Sequences, pass: Pass<'_>) {
        let step = self.next;
        self.next = (step + 1) % SAMPLED_STEPS;
        let randoms: Vec<u32> = self.samplers.iter_mut().map(Sampler::next_random).collect();
        self.device_sampler.prepare_step(step, &randoms);
        let encoder = match pass {
            Pass::Over(tokens) => self.encode_pass(runner, sequences, tokens, self.rows.len()),
            Pass::OverSampled => self.encode_pass(runner, sequences, &[], self.rows.len()),
            Pass::Done => runner.model().gpu().device.create_command_encoder(&Default::default()),
        };
        let submitted = self.submit(runner, encoder, step);
        self.in_flight.push_back(submitted);
    }

    /// Submits a pass without sampling.
    fn submit_pass(&self, runner: &Runner, sequences: &mut Sequences, tokens: &[u32], outputs: usize) {
        let pass = self.encode_pass(runner, sequences, tokens, outputs);
        runner.model().gpu().queue.submit([pass.finish()]);
    }

    /// Encodes all stages of a pass over `tokens`, or where there are none over those that the device sampled last. It has the logits
    /// of no token, or of the last of each row.
    fn encode_pass(
        &self,
        runner: &Runner,
        sequences: &mut Sequences,
        tokens: &[u32],
        outputs: usize,
    ) -> wgpu::CommandEncoder {
        let rows = &self.rows;
        let extent = Extent { tokens: (tokens.len() / rows.len()).max(1), sequences: rows.len(), outputs };
        let can_roll_back = sequences.can_roll_back(rows.len());
        let slots: Vec<[u32; 2]> = rows
            .iter()
            .map(|&sequence| if can_roll_back { sequences.step(sequence) } else { sequences.in_place(sequence) })
            .collect();
        runner.prepare(tokens, extent, &slots);
        runner.encode(extent)
    }

    /// Submits what was encoded, and the sampling after it.
    fn submit(&mut self, runner: &Runner, mut encoder: wgpu::CommandEncoder, step: usize) -> InFlight {
        let (gpu, rows) = (runner.model().gpu(), self.rows.len());
        self.device_sampler.encode(&mut encoder.begin_compute_pass(&Default::default()), step, rows);
        let staging = self.staging.pop().unwrap_or_else(|| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("ids"),
                size: 4 * MAX_SEQUENCES as u64,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let bytes = 4 * rows as u64;
        let from = 4 * (step * self.device_sampler.rows()) as u64;
        encoder.copy_buffer_to_buffer(self.device_sampler.ids(), from, &staging, 0, bytes);
        let submission = gpu.queue.submit([encoder.finish()]);
        let (sender, mapped) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // The receiver is gone only where the step was rolled back.
            let _ = sender.send(result);
        });
        InFlight { staging, submission, mapped, ids: rows }
    }

    async fn read_ids(&mut self, runner: &Runner, step: InFlight) -> Result<Vec<u32>> {
        let gpu = runner.model().gpu();
        gpu.wait_for(step.submission)?;
        gpu.mapped(step.mapped.await).await?;
        let view = gpu.view(&step.staging, 4 * step.ids as u64)?;
        let ids = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        step.staging.unmap();
        self.staging.push(step.staging);
        Ok(ids)
    }
}
