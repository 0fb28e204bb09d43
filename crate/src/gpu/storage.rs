//! Every buffer beside the weights: what a plan's steps write and read, the states, and what changes from step to step.

use super::Gpu;
use super::kernels::runs;
use super::params;
use super::weights::DeviceWeight;
use crate::executor::Activations;
use crate::model::{BufferId, Network, Op, Plan, Rows, StateId, Step, WeightId};

/// The buffers of a model.
pub struct Storage {
    /// One a plan buffer.
    pub buffers: Vec<PlanBuffer>,
    /// Token ids of the chunk.
    pub tokens: wgpu::Buffer,
    /// [`params::Batch`].
    pub batch: wgpu::Buffer,
    /// Vectors that a kernel reads from one buffer, one after the other.
    joined: Vec<([WeightId; 2], wgpu::Buffer)>,
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

/// A buffer for each tensor of the state: (slots, rows, columns).
pub struct States(Vec<wgpu::Buffer>);

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
    pub fn new(gpu: &Gpu, network: &Network, slots: usize) -> Self {
        let storage = wgpu::BufferUsages::STORAGE;
        let tensors = network.state.iter();
        Self(tensors.map(|tensor| make_buffer(gpu, &tensor.name, 4 * slots * tensor.floats(), storage)).collect())
    }

    /// The buffer of a tensor.
    pub fn get(&self, id: StateId) -> &wgpu::Buffer {
        &self.0[id.0]
    }

    /// All of them, by id.
    pub fn all(&self) -> &[wgpu::Buffer] {
        &self.0
    }
}

/// Two vectors that a step's kernels read from one buffer: eight storage buffers are all that WebGPU promises a kernel.
fn joined(step: &Step) -> Option<[WeightId; 2]> {
    match (step.op, step.weights.as_slice()) {
        // The bias of dt, then D.
        (Op::SelectiveScan, &[dt_bias, _, d]) => Some([dt_bias, d]),
        _ => None,
    }
}

impl Storage {
    /// Makes every buffer, for chunks of `tokens`, logits of `outputs` tokens, and `slots` states.
    pub fn new(
        gpu: &Gpu,
        network: &Network,
        activations: Activations,
        (tokens, outputs, slots): (usize, usize, usize),
    ) -> Self {
        let storage = wgpu::BufferUsages::STORAGE;
        let plan = &network.plan;
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
        let floats = |id: &WeightId| network.tensors[id.0].rows * network.tensors[id.0].columns;
        let joined = plan.steps().filter_map(joined).map(|ids| {
            let bytes = 4 * ids.iter().map(floats).sum::<usize>();
            (ids, make_buffer(gpu, "joined", bytes, storage))
        });
        Self {
            buffers: buffers.collect(),
            tokens: make_buffer(gpu, "tokens", 4 * tokens, storage),
            batch: make_buffer(gpu, "batch", size_of::<params::Batch>(), wgpu::BufferUsages::UNIFORM),
            joined: joined.collect(),
            states: States::new(gpu, network, slots),
        }
    }

    /// Copies vectors that were uploaded apart into the buffers that they share.
    pub fn join(&self, gpu: &Gpu, weights: &[DeviceWeight]) {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for (ids, buffer) in &self.joined {
            let mut to = 0;
            for id in ids {
                let from = &weights[id.0].shards[0].buffer;
                encoder.copy_buffer_to_buffer(from, 0, buffer, to, from.size());
                to += from.size();
            }
        }
        gpu.queue.submit([encoder.finish()]);
    }

    /// The buffer of a step's joined vectors.
    ///
    /// # Panics
    /// Where its kernels read none.
    pub fn joined(&self, step: &Step) -> wgpu::Buffer {
        let found = joined(step).and_then(|ids| self.joined.iter().find(|(joined, _)| *joined == ids));
        let Some((_, buffer)) = found else { unreachable!("{} reads no joined vectors", step.op.name()) };
        buffer.clone()
    }

    /// A plan's buffer.
    pub fn buffer(&self, id: BufferId) -> &PlanBuffer {
        &self.buffers[id.0]
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        let others = self.joined.iter().map(|(_, buffer)| buffer).chain(self.states.all());
        self.buffers.iter().map(PlanBuffer::bytes).sum::<u64>() + others.map(wgpu::Buffer::size).sum::<u64>()
    }
}

/// Whether a buffer is read or written as f32, and whether it is a matrix product's input.
fn forms(plan: &Plan, id: BufferId) -> (bool, bool) {
    let (mut plain, mut acts) = (false, false);
    for step in plan.steps() {
        let (reads, writes) = (step.reads.contains(&id), step.writes.contains(&id));
        match step.op {
            Op::RmsNorm { .. } => plain |= reads,
            Op::MatMul { .. } => {
                acts |= reads;
                plain |= writes;
            }
            Op::Embed | Op::Conv1dSilu => plain |= reads || writes,
            // dt is a product's input alone.
            Op::SplitDtBC { .. } => plain |= reads || step.writes[1] == id,
            Op::SelectiveScan => plain |= reads,
        }
    }
    (plain, acts)
}
