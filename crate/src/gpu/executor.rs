//! Runs a plan's steps on a device.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use web_time::Instant;

use super::dispatch::{Dispatch, Storage, prepare};
use super::weights::{DeviceWeight, upload};
use super::{Gpu, params};
use crate::error::{Error, Result};
use crate::executor::{Backend, Executor, MAX_TOKENS, Memory, Outputs, check_tokens};
use crate::gguf::Gguf;
use crate::model::{BufferId, Config, Plan, State, Weights, record};

/// A model on a GPU.
pub struct GpuExecutor {
    gpu: Gpu,
    config: Config,
    vocab_size: usize,
    plan: Plan,
    weights: Vec<DeviceWeight>,
    storage: Storage,
    /// Receives the logits, (MAX_TOKENS, vocab_size), for the host to read.
    staging: wgpu::Buffer,
    /// Dispatches of `plan.layers` then of `plan.head`, step by step.
    dispatches: Vec<Vec<Dispatch>>,
    position: u64,
}

impl GpuExecutor {
    /// Uploads every weight and makes every pipeline. `progress` is called with each number of bytes read.
    ///
    /// # Errors
    /// What reading gives; [`crate::Error::OutOfMemory`] where a row exceeds a binding; [`crate::Error::Gpu`] where the
    /// device refuses or has no memory left.
    pub async fn load(
        gpu: Gpu,
        gguf: &Gguf,
        config: &Config,
        weights: &Weights,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        // Browsers report a buffer that found no memory later than the call that made it: the scope waits for that.
        let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let plan = record(config, weights);
        let mut uploaded = Vec::with_capacity(weights.all().len());
        for id in weights.in_file_order() {
            uploaded.push((id, upload(&gpu, gguf, &weights.all()[id], progress).await?));
            gpu.check()?;
        }
        uploaded.sort_by_key(|(id, _)| *id);
        let uploaded: Vec<_> = uploaded.into_iter().map(|(_, weight)| weight).collect();
        let storage = make_storage(&gpu, config, &plan);
        let steps: Vec<_> = plan.layers.iter().chain(&plan.head).cloned().collect();
        let dispatches = prepare(&gpu, config, &plan, &uploaded, &storage, &steps);
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: storage.buffers[plan.logits.0].size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut executor = Self {
            gpu,
            config: config.clone(),
            vocab_size: weights.vocab_size,
            plan,
            weights: uploaded,
            storage,
            staging,
            dispatches,
            position: 0,
        };
        executor.write_state(&State::new(config))?;
        executor.finish().await?;
        match memory.pop().await {
            None => Ok(executor),
            Some(_) => Err(Error::OutOfMemory {
                what: "the model on this GPU".into(),
                needed: Memory::needed(config, weights).total(),
                available: None,
            }),
        }
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where the logits' steps begin among all steps.
    fn head(&self) -> usize {
        self.plan.layers.len()
    }

    /// Tells the device the tokens of the next submission.
    pub fn write_batch(&self, tokens: &[u32], outputs: usize) {
        let batch = params::Batch { tokens: tokens.len() as u32, outputs: outputs as u32 };
        self.gpu.queue.write_buffer(&self.storage.tokens, 0, bytemuck::cast_slice(tokens));
        self.gpu.queue.write_buffer(&self.storage.batch, 0, bytemuck::bytes_of(&batch));
    }

    /// Runs one step, numbered through layers and head, for the batch written last; for comparing executors.
    pub fn run_step(&self, step: usize, tokens: usize, outputs: usize) {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        self.encode(&mut encoder, step..step + 1, tokens, outputs);
        self.gpu.queue.submit([encoder.finish()]);
    }

    /// Time that some steps take together over a chunk of the first tokens of the vocabulary, submission and waiting
    /// included. Which steps ran before does not matter to their cost.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn time_steps(&self, steps: &[usize], tokens: usize) -> Result<Duration> {
        let ids: Vec<u32> = (0..tokens.min(MAX_TOKENS) as u32).map(|id| id % self.vocab_size as u32).collect();
        self.write_batch(&ids, ids.len());
        self.finish().await?;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for &step in steps {
            self.encode(&mut encoder, step..step + 1, ids.len(), ids.len());
        }
        let start = Instant::now();
        self.gpu.queue.submit([encoder.finish()]);
        self.finish().await?;
        Ok(start.elapsed())
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, steps: std::ops::Range<usize>, tokens: usize, outputs: usize) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for dispatch in self.dispatches[steps].iter().flatten() {
            dispatch.encode(&mut pass, tokens as u32, outputs as u32);
        }
    }

    /// What a buffer holds now: its first `rows` rows, for comparing executors.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn buffer(&self, id: BufferId, rows: usize) -> Result<Vec<f32>> {
        self.read(&[&self.storage.buffers[id.0]], rows * self.plan.buffer(id).width).await
    }

    /// Puts values into a buffer, from its start, for comparing executors.
    pub fn write_buffer(&self, id: BufferId, values: &[f32]) {
        self.gpu.queue.write_buffer(&self.storage.buffers[id.0], 0, bytemuck::cast_slice(values));
    }

    /// Reads `floats` numbers from the start of each buffer, one after the other.
    async fn read(&self, buffers: &[&wgpu::Buffer], floats: usize) -> Result<Vec<f32>> {
        if floats == 0 {
            // Nothing can be mapped of an empty buffer.
            return Ok(Vec::new());
        }
        let bytes = 4 * floats as u64;
        let staging = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: bytes * buffers.len() as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for (buffer, i) in buffers.iter().zip(0..) {
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, i * bytes, bytes);
        }
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.read_floats(&staging, floats * buffers.len()).await
    }

    /// Waits until everything submitted has run.
    async fn finish(&self) -> Result<()> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.gpu.queue.on_submitted_work_done(move || {
            // The receiver is gone only where the caller stopped waiting.
            let _ = sender.send(());
        });
        self.gpu.wait()?;
        // A dropped sender is a lost device, which the check reports.
        let _ = receiver.await;
        self.gpu.check()
    }

    async fn run(&mut self, tokens: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        check_tokens(tokens, MAX_TOKENS, self.vocab_size)?;
        self.gpu.check()?;
        let count = outputs.count(tokens.len());
        self.write_batch(tokens, count);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let steps = if count == 0 { self.head() } else { self.dispatches.len() };
        self.encode(&mut encoder, 0..steps, tokens.len(), count);
        self.position += tokens.len() as u64;
        if count == 0 {
            self.gpu.queue.submit([encoder.finish()]);
            self.finish().await?;
            return Ok(Vec::new());
        }
        let floats = count * self.vocab_size;
        let logits = &self.storage.buffers[self.plan.logits.0];
        encoder.copy_buffer_to_buffer(logits, 0, &self.staging, 0, 4 * floats as u64);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.read_floats(&self.staging, floats).await
    }
}

fn make_storage(gpu: &Gpu, config: &Config, plan: &Plan) -> Storage {
    let make = |label: &str, words: usize, usage| {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            // Even a state of no floats must be bound to its kernel.
            size: 4 * words.max(1) as u64,
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let (storage, copied) = (wgpu::BufferUsages::STORAGE, wgpu::BufferUsages::COPY_SRC);
    let states = |label, floats| (0..config.n_layers).map(|_| make(label, floats, storage | copied)).collect();
    let buffers = plan.buffers.iter().map(|b| make(b.name, MAX_TOKENS * b.width, storage | copied));
    Storage {
        buffers: buffers.collect(),
        tokens: make("tokens", MAX_TOKENS, storage),
        batch: make("batch", size_of::<params::Batch>() / 4, wgpu::BufferUsages::UNIFORM),
        conv: states("conv state", config.conv_state_len()),
        ssm: states("ssm state", config.ssm_state_len()),
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
        MAX_TOKENS
    }

    fn backend(&self) -> Backend {
        let weights: u64 = self.weights.iter().map(DeviceWeight::bytes).sum();
        let buffers: u64 = self.storage.buffers.iter().map(wgpu::Buffer::size).sum();
        let memory_bytes = weights + buffers + self.staging.size() + self.config.state_bytes() as u64;
        Backend { kind: self.gpu.kind(), adapter: self.gpu.adapter_name(), memory_bytes }
    }

    fn forward<'a>(&'a mut self, tokens: &'a [u32], outputs: Outputs) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(self.run(tokens, outputs))
    }

    fn read_state(&self) -> LocalBoxFuture<'_, Result<State>> {
        Box::pin(async move {
            let conv: Vec<_> = self.storage.conv.iter().collect();
            let ssm: Vec<_> = self.storage.ssm.iter().collect();
            Ok(State {
                position: self.position,
                conv: self.read(&conv, self.config.conv_state_len()).await?,
                ssm: self.read(&ssm, self.config.ssm_state_len()).await?,
            })
        })
    }

    fn write_state(&mut self, state: &State) -> Result<()> {
        state.check(&self.config)?;
        let write = |buffers: &[wgpu::Buffer], floats: &[f32], len: usize| {
            // A convolution of one tap has no past: nothing to write, and no chunks of no floats.
            for (buffer, layer) in buffers.iter().zip(floats.chunks_exact(len.max(1))) {
                self.gpu.queue.write_buffer(buffer, 0, bytemuck::cast_slice(layer));
            }
        };
        write(&self.storage.conv, &state.conv, self.config.conv_state_len());
        write(&self.storage.ssm, &state.ssm, self.config.ssm_state_len());
        self.position = state.position;
        self.gpu.check()
    }
}
