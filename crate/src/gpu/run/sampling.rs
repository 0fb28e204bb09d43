//! Samples tokens on the device, from logits that lie there: exactly the tokens that `Sampler::sample` gives for the same
//! logits, history, mask and random numbers. Only ids need to come back.
//!
//! A token is two dispatches. `sample_maxima` has many workgroups read the logits, apply the penalties and find the
//! greatest of each chunk of the vocabulary. `sample_token` has one workgroup a row, for which these maxima bound what
//! top-k and min-p can keep: with the default options it reads some forty chunks of 256 and is left with about as many
//! tokens. Where top-k is off and top-p or nothing bounds the choice, it reads the vocabulary some four times.

#[cfg(test)]
mod tests;

use wgpu::util::DeviceExt;

use crate::constraint::TokenMask;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{SAMPLE_MAXIMA, SAMPLE_TOKEN, SAMPLING_CHUNKS, SAMPLING_HISTORY, compose_sampling, params};
use crate::gpu::resources::{Pipelines, Program};
use crate::sampler::Sampler;
use crate::sampler::arithmetic::Scale;

/// The largest vocabulary that the kernels take: their last histogram is by 20 bits of the id.
pub const MAX_VOCAB_SIZE: usize = 1 << 20;

/// Invocations of the workgroup of a row in `sample_token`, at the most.
const MOST_INVOCATIONS: u32 = 1024;

/// Sizes of what is sampled from and to.
#[derive(Debug, Clone, Copy)]
pub struct SamplingShape {
    pub vocab_size: usize,
    /// Floats from one row of logits to the next.
    pub stride: usize,
    /// Rows that can be sampled from at once, each with its own options, history and random numbers.
    pub rows: usize,
    /// Tokens of each row that can be sampled before ids are read back.
    pub steps: usize,
}

/// Samplers for the rows of a buffer of logits. A clone is the same sampler.
#[derive(Clone)]
pub struct GpuSampler {
    queue: wgpu::Queue,
    shape: SamplingShape,
    /// Grid of `sample_maxima` for a row.
    chunks: u32,
    maxima: (wgpu::ComputePipeline, wgpu::BindGroup),
    token: wgpu::ComputePipeline,
    /// Of `sample_token`, one a step.
    steps: Vec<wgpu::BindGroup>,
    /// [`params::SamplingRow`], one a row.
    rows: wgpu::Buffer,
    /// (steps, rows)
    randoms: wgpu::Buffer,
    /// (rows, SAMPLING_HISTORY + vocab_size); see `sample_token.wgsl`.
    history: wgpu::Buffer,
    /// (rows, words of a mask)
    masks: wgpu::Buffer,
    /// (steps, rows)
    ids: wgpu::Buffer,
}

impl GpuSampler {
    /// Makes pipelines and buffers; every row is greedy until it is started. None where the kernels do not take the shape,
    /// whose tokens must then be sampled from logits that are read back.
    ///
    /// `logits` holds (rows, stride) floats, and `tokens` (rows) ids, where each step leaves its tokens. Both are bound as
    /// storage.
    pub fn new(
        gpu: &Gpu,
        pipelines: &mut Pipelines,
        shape: SamplingShape,
        logits: &wgpu::Buffer,
        tokens: &wgpu::Buffer,
    ) -> Option<Self> {
        Self::with_programs(gpu, pipelines, Self::programs(gpu), shape, logits, tokens)
    }

    /// What it runs. The second is the slowest of all to compile.
    pub fn programs(gpu: &Gpu) -> [Program; 2] {
        // A large GPU hides with more invocations that a single workgroup waits for memory. Elsewhere they are only more.
        Self::programs_for(gpu, if gpu.is_discrete() { MOST_INVOCATIONS } else { SAMPLING_CHUNKS as u32 })
    }

    /// For `invocations` of a workgroup of `sample_token`, or fewer where the device grants fewer.
    fn programs_for(gpu: &Gpu, invocations: u32) -> [Program; 2] {
        let invocations =
            if invocations as usize <= gpu.max_invocations { invocations } else { SAMPLING_CHUNKS as u32 };
        [&SAMPLE_MAXIMA, &SAMPLE_TOKEN].map(|kernel| Program::new(gpu, kernel, compose_sampling(kernel, invocations)))
    }

    fn with_programs(
        gpu: &Gpu,
        pipelines: &mut Pipelines,
        [maxima_program, token_program]: [Program; 2],
        shape: SamplingShape,
        logits: &wgpu::Buffer,
        tokens: &wgpu::Buffer,
    ) -> Option<Self> {
        let SamplingShape { vocab_size, stride, rows, steps } = shape;
        assert!(rows > 0 && steps > 0 && stride >= vocab_size, "nothing can be sampled in {shape:?}");
        let history_bytes = 4 * (rows * (SAMPLING_HISTORY + vocab_size)) as u64;
        if !(1..=MAX_VOCAB_SIZE).contains(&vocab_size) || history_bytes > gpu.max_binding_bytes {
            return None;
        }
        let device = &gpu.device;
        let make = |label, words: usize, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 4 * words as u64,
                usage: wgpu::BufferUsages::STORAGE | usage,
                mapped_at_creation: false,
            })
        };
        let (written, read, own) =
            (wgpu::BufferUsages::COPY_DST, wgpu::BufferUsages::COPY_SRC, wgpu::BufferUsages::empty());
        let keys = make("sampling keys", rows * vocab_size, own);
        // Those of chunks that a small vocabulary has not stay 0.
        let maxima = make("sampling maxima", rows * SAMPLING_CHUNKS * 2, own);
        let list = make("sampling list", rows * vocab_size, own);
        let history = make("sampling history", rows * (SAMPLING_HISTORY + vocab_size), written);
        let masks = make("sampling masks", rows * mask_words(vocab_size), written);
        let randoms = make("sampling randoms", steps * rows, written);
        let ids = make("sampled ids", steps * rows, read);
        let greedy = params::SamplingRow { greedy: 1, ..bytemuck::Zeroable::zeroed() };
        let row_params = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("sampling rows"),
            contents: bytemuck::cast_slice(&vec![greedy; rows]),
            usage: wgpu::BufferUsages::STORAGE | written,
        });

        let uniforms = Uniforms::new(gpu, shape);
        let mut bind = |kernel, step, buffers: &[&wgpu::Buffer]| {
            let storage = buffers.iter().map(|buffer| buffer.as_entire_binding());
            pipelines.bind_group(gpu, kernel, uniforms.of_step(step).into_iter().chain(storage))
        };
        let maxima_group = bind(&SAMPLE_MAXIMA, 0, &[logits, &row_params, &history, &masks, &keys, &maxima]);
        let buffers = [&row_params, &randoms, &keys, &maxima, &list, &history, tokens, &ids];
        let steps = (0..steps).map(|step| bind(&SAMPLE_TOKEN, step, &buffers)).collect();
        Some(Self {
            queue: gpu.queue.clone(),
            shape,
            chunks: chunks(vocab_size).1,
            maxima: (pipelines.get(gpu, maxima_program), maxima_group),
            token: pipelines.get(gpu, token_program),
            steps,
            rows: row_params,
            randoms,
            history,
            masks,
            ids,
        })
    }

    /// Gives a row the options and the history of a sampler. From then on the device adds each token that it samples to
    /// the row's history; a caller that also uses the sampler lets it accept the same tokens. Where the sampler has a mask, each
    /// step needs [`GpuSampler::write_mask`] before it.
    pub fn start(&self, row: usize, sampler: &Sampler) {
        assert!(row < self.shape.rows, "there are {} rows, no row {row}", self.shape.rows);
        let prepared = sampler.prepared();
        let params = params::SamplingRow {
            greedy: prepared.greedy.into(),
            top_k: prepared.top_k,
            top_p: prepared.top_p,
            min_p_distance: prepared.min_p_distance,
            temperature_factor: prepared.temperature.factor,
            temperature_limit: prepared.temperature.limit,
            repetition: prepared.penalties.repetition,
            reciprocal: prepared.penalties.reciprocal,
            frequency: prepared.penalties.frequency,
            presence: prepared.penalties.presence,
            last_n: prepared.last_n,
            masked: sampler.allowed().is_some().into(),
        };
        let at = row * size_of::<params::SamplingRow>();
        self.queue.write_buffer(&self.rows, at as u64, bytemuck::bytes_of(&params));
        if prepared.last_n == 0 {
            return;
        }
        let recent = sampler.recent();
        let len = recent.len() as u32;
        let mut history = vec![len % prepared.last_n, len];
        let mut counts = vec![0u32; self.shape.vocab_size];
        for token in recent {
            history.push(token);
            if let Some(count) = counts.get_mut(token as usize) {
                *count += 1;
            }
        }
        let own = row * (SAMPLING_HISTORY + self.shape.vocab_size);
        self.queue.write_buffer(&self.history, 4 * own as u64, bytemuck::cast_slice(&history));
        self.queue.write_buffer(&self.history, 4 * (own + SAMPLING_HISTORY) as u64, bytemuck::cast_slice(&counts));
    }

    /// Sets the tokens that a row may sample in the submissions that follow.
    pub fn write_mask(&self, row: usize, allowed: &TokenMask) {
        let words = mask_words(self.shape.vocab_size);
        assert!(row < self.shape.rows, "there are {} rows, no row {row}", self.shape.rows);
        let mut mask = allowed.words().to_vec();
        mask.resize(words, 0);
        self.queue.write_buffer(&self.masks, 4 * (row * words) as u64, bytemuck::cast_slice(&mask));
    }

    /// Sets the random numbers, of `Sampler::next_random`, that the first rows use in a step of the next submission.
    pub fn prepare_step(&self, step: usize, randoms: &[u32]) {
        let SamplingShape { rows, steps, .. } = self.shape;
        assert!(randoms.len() <= rows && step < steps, "there are {steps} steps of {rows} rows, not step {step}");
        self.queue.write_buffer(&self.randoms, 4 * (step * rows) as u64, bytemuck::cast_slice(randoms));
    }

    /// Encodes the sampling of the first `rows` rows. Each token goes to its row of `tokens`, and to [`GpuSampler::ids`].
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, step: usize, rows: usize) {
        assert!(rows <= self.shape.rows, "there are {} rows, not {rows}", self.shape.rows);
        let (pipeline, bind_group) = &self.maxima;
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        pass.dispatch_workgroups(self.chunks, rows as u32, 1);
        pass.set_pipeline(&self.token);
        pass.set_bind_group(0, &self.steps[step], &[]);
        pass.dispatch_workgroups(1, rows as u32, 1);
    }

    /// Rows that can be sampled from at once.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// The sampled ids, (steps, rows), to copy from; with [`NOT_FINITE`] where `Sampler::sample` would refuse the logits.
    pub fn ids(&self) -> &wgpu::Buffer {
        &self.ids
    }
}

/// Words of a mask, which may have more bits than there are tokens.
fn mask_words(vocab_size: usize) -> usize {
    vocab_size.div_ceil(32)
}

/// Tokens of a chunk, as a power of two, and the number of chunks.
fn chunks(vocab_size: usize) -> (u32, u32) {
    let len = vocab_size.div_ceil(SAMPLING_CHUNKS).next_power_of_two();
    (len.trailing_zeros(), vocab_size.div_ceil(len) as u32)
}

/// The uniform buffers, which bind groups keep.
struct Uniforms {
    params: wgpu::Buffer,
    /// [`params::SamplingStep`] of every step, each at a multiple of `alignment`.
    steps: wgpu::Buffer,
    alignment: usize,
}

impl Uniforms {
    fn new(gpu: &Gpu, shape: SamplingShape) -> Self {
        let unit = Scale::new(1.0);
        let (chunk_bits, chunks) = chunks(shape.vocab_size);
        let params = params::Sampling {
            vocab_size: shape.vocab_size as u32,
            stride: shape.stride as u32,
            chunk_bits,
            chunks,
            rows: shape.rows as u32,
            unit_factor: unit.factor,
            unit_limit: unit.limit,
        };
        let alignment = gpu.device.limits().min_uniform_buffer_offset_alignment as usize;
        let mut steps = Vec::new();
        for step in 0..shape.steps as u32 {
            steps.extend_from_slice(bytemuck::bytes_of(&params::SamplingStep { step }));
            steps.resize(steps.len().next_multiple_of(alignment), 0);
        }
        let make = |label, contents: &[u8]| {
            gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some(label),
                contents,
                usage: wgpu::BufferUsages::UNIFORM,
            })
        };
        Self {
            params: make("sampling params", bytemuck::bytes_of(&params)),
            steps: make("sampling steps", &steps),
            alignment,
        }
    }

    /// Bindings 0 and 1.
    fn of_step(&self, step: usize) -> [wgpu::BindingResource<'_>; 2] {
        let step = wgpu::BufferBinding {
            buffer: &self.steps,
            offset: (step * self.alignment) as u64,
            size: wgpu::BufferSize::new(size_of::<params::SamplingStep>() as u64),
        };
        [self.params.as_entire_binding(), wgpu::BindingResource::Buffer(step)]
    }
}
