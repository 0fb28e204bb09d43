//! Every buffer beside the weights: what a plan's steps write and read, the states, and what changes from step to step.

use super::Gpu;
use super::kernels::runs;
use super::params;
use super::weights::DeviceWeight;
use crate::executor::Activations;
use crate::model::{BufferId, Config, Plan, Rows, Step};

/// The buffers of a model.
pub struct Storage {
    /// One a plan buffer.
    pub buffers: Vec<PlanBuffer>,
    /// Token ids of the chunk.
    pub tokens: wgpu::Buffer,
    /// [`params::Batch`].
    pub batch: wgpu::Buffer,
    /// The bias of dt, then D, one a layer: (2, d_inner).
    pub bias_d: Vec<wgpu::Buffer>,
    /// The states.
    pub states: States,
}

/// A plan buffer on the device, in one form or in both.
pub struct PlanBuffer {
    /// As f32, (rows, width), where a step reads or writes it so.
    pub plain: Option<wgpu::Buffer>,
    /// As activations of matrix products, where it is one's input.
    pub acts: Option<wgpu::Buffer>,
    /// Floats of a row.
    pub width: usize,
}

/// States of every layer, `slots` of them.
pub struct States {
    /// Convolution state, one buffer a layer: (slots, d_inner, d_conv - 1).
    pub conv: Vec<wgpu::Buffer>,
    /// SSM state, one buffer a layer: (slots, d_inner, d_state).
    pub ssm: Vec<wgpu::Buffer>,
}

/// Words of a row of activations: see `shaders/acts`.
pub(super) fn act_row_words(activations: Activations, width: usize) -> usize {
    let runs = runs(width);
    let vectors = match activations {
        Activations::F32 => 4 * runs,
        Activations::Q8 => runs + runs / 2,
    };
    4 * (vectors + runs.div_ceil(4))
}

pub(super) fn make_buffer(gpu: &Gpu, label: &str, bytes: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        // Even a state of no floats must be bound to its kernel.
        size: bytes.max(16) as u64,
        usage: usage | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

impl PlanBuffer {
    /// The f32 form.
    ///
    /// # Panics
    /// Where no step has it so.
    pub fn plain(&self) -> wgpu::Buffer {
        let Some(plain) = &self.plain else { unreachable!("no step reads or writes this buffer as f32") };
        plain.clone()
    }

    /// The form for matrix products.
    ///
    /// # Panics
    /// Where it is no product's input.
    pub fn acts(&self) -> wgpu::Buffer {
        let Some(acts) = &self.acts else { unreachable!("no matrix product reads this buffer") };
        acts.clone()
    }

    fn bytes(&self) -> u64 {
        [&self.plain, &self.acts].into_iter().flatten().map(wgpu::Buffer::size).sum()
    }
}

impl States {
    /// Room for `slots` states, all zero.
    pub fn new(gpu: &Gpu, config: &Config, slots: usize) -> Self {
        let make = |label, floats| {
            let make = |_| make_buffer(gpu, label, 4 * slots * floats, wgpu::BufferUsages::STORAGE);
            (0..config.n_layers).map(make).collect()
        };
        Self { conv: make("conv state", config.conv_state_len()), ssm: make("ssm state", config.ssm_state_len()) }
    }
}

impl Storage {
    /// Makes every buffer, for chunks of `tokens`, logits of `outputs` tokens, and `slots` states.
    pub fn new(
        gpu: &Gpu,
        config: &Config,
        plan: &Plan,
        activations: Activations,
        (tokens, outputs, slots): (usize, usize, usize),
    ) -> Self {
        let storage = wgpu::BufferUsages::STORAGE;
        let buffers = plan.buffers.iter().enumerate().map(|(i, buffer)| {
            let (plain, acts) = forms(plan, BufferId(i));
            let rows = match buffer.rows {
                Rows::Tokens => tokens,
                Rows::Outputs => outputs,
            };
            let make = |words: usize| make_buffer(gpu, buffer.name, 4 * rows * words, storage);
            PlanBuffer {
                plain: plain.then(|| make(buffer.width)),
                acts: acts.then(|| make(act_row_words(activations, buffer.width))),
                width: buffer.width,
            }
        });
        let bias_d = (0..config.n_layers).map(|_| make_buffer(gpu, "bias_d", 8 * config.d_inner, storage));
        Self {
            buffers: buffers.collect(),
            tokens: make_buffer(gpu, "tokens", 4 * tokens, storage),
            batch: make_buffer(gpu, "batch", size_of::<params::Batch>(), wgpu::BufferUsages::UNIFORM),
            bias_d: bias_d.collect(),
            states: States::new(gpu, config, slots),
        }
    }

    /// Copies each layer's bias of dt and D, uploaded apart, into the buffer that they share: eight storage buffers are all
    /// that WebGPU promises a kernel.
    pub fn join_bias_d(&self, gpu: &Gpu, plan: &Plan, weights: &[DeviceWeight]) {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for step in &plan.layers {
            if let Step::SelectiveScan { dt_bias, d, layer, .. } = step {
                let mut to = 0;
                for id in [dt_bias, d] {
                    let from = &weights[id.0].shards[0].buffer;
                    encoder.copy_buffer_to_buffer(from, 0, &self.bias_d[*layer], to, from.size());
                    to += from.size();
                }
            }
        }
        gpu.queue.submit([encoder.finish()]);
    }

    /// A plan's buffer.
    pub fn buffer(&self, id: BufferId) -> &PlanBuffer {
        &self.buffers[id.0]
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        let others = self.bias_d.iter().chain(&self.states.conv).chain(&self.states.ssm);
        self.buffers.iter().map(PlanBuffer::bytes).sum::<u64>() + others.map(wgpu::Buffer::size).sum::<u64>()
    }
}

/// Whether a buffer is read or written as f32, and whether it is a matrix product's input.
fn forms(plan: &Plan, id: BufferId) -> (bool, bool) {
    let (mut plain, mut acts) = (false, false);
    for step in plan.steps() {
        match step {
            Step::Embed { out, .. } => plain |= *out == id,
            Step::RmsNorm { x, .. } => plain |= *x == id,
            Step::MatMul { x, out, .. } => {
                acts |= *x == id;
                plain |= *out == id;
            }
            Step::Conv1dSilu { xz, out, .. } => plain |= *xz == id || *out == id,
            Step::SplitDtBC { dbc, bc, .. } => plain |= *dbc == id || *bc == id,
            Step::SelectiveScan { x, dt, bc, xz, .. } => plain |= [x, dt, bc, xz].contains(&&id),
        }
    }
    (plain, acts)
}
