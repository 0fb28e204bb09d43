//! Every buffer beside the weights: what a plan's steps write and read, the states, and what changes from step to step.

use std::collections::HashMap;

use super::activations;
use super::bound::Bound;
use super::groups::ALIGNMENT;
use super::layouts::{self, Layouts};
use super::weights::DeviceWeight;
use crate::error::Result;
use crate::executor::Activations;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{Layout, params};
use crate::model::{BufferId, Network, Op, Plan, Rows, StateId, Step, WeightId};

/// The buffers of a model.
pub struct Storage {
    activations: Activations,
    /// One a plan buffer.
    buffers: Vec<PlanBuffer>,
    /// Token ids of the chunk.
    tokens: wgpu::Buffer,
    /// [`params::Batch`].
    batch: wgpu::Buffer,
    /// Buffers whose activations are planes of one.
    planes: Vec<(Vec<BufferId>, wgpu::Buffer)>,
    /// Rows that a buffer of tokens has room for.
    rows: usize,
    /// Vectors that a kernel reads from one buffer, one after the other.
    packs: Vec<(Vec<WeightId>, wgpu::Buffer)>,
    /// The states.
    states: States,
}

/// A plan's buffer on the device, in one form or in both.
pub struct PlanBuffer {
    /// As f32, where a step reads or writes it so.
    plain: Option<wgpu::Buffer>,
    /// As activations of matrix products, where a step reads or writes it so.
    acts: Option<Bound>,
    /// Floats of a row.
    width: usize,
    /// One row of f32, where a group of products writes it: what decode has in place of the f32 form.
    row: Option<Bound>,
    /// The layouts in which it is read, and in which each step that writes it has to leave it.
    read: Layouts,
}

/// A copy of what [`Storage::save`] saved.
pub struct Saved {
    slot: u32,
    copy: wgpu::Buffer,
}

/// A buffer for each tensor of the state: (slots, rows, columns).
struct States(Vec<wgpu::Buffer>);

fn make_buffer(gpu: &Gpu, label: &str, bytes: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
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
    /// Where no step has it so.
    pub fn acts(&self) -> Bound {
        let Some(acts) = &self.acts else { unreachable!("no step reads or writes this buffer as activations") };
        acts.clone()
    }

    /// The form in a layout, as one token of one sequence has it or as all others have.
    ///
    /// # Panics
    /// Where no step has it so.
    pub fn in_layout(&self, layout: Layout, one_token: bool) -> Bound {
        match (layout, &self.row) {
            (Layout::Plain, Some(row)) if one_token => row.clone(),
            (Layout::Plain, _) => self.plain().into(),
            (Layout::Activations, _) => self.acts(),
        }
    }

    /// The layouts in which it is read.
    pub fn read(&self) -> Layouts {
        self.read
    }

    fn bytes(&self) -> u64 {
        let plain = self.plain.as_ref().map(wgpu::Buffer::size);
        let others = [&self.acts, &self.row].into_iter().flatten().map(|bound| bound.bytes);
        plain.into_iter().chain(others).sum()
    }
}

impl States {
    /// Room for `slots` states, all zero.
    fn new(gpu: &Gpu, network: &Network, slots: usize) -> Self {
        let storage = wgpu::BufferUsages::STORAGE;
        let tensors = network.state.iter();
        Self(tensors.map(|tensor| make_buffer(gpu, &tensor.name, 4 * slots * tensor.floats(), storage)).collect())
    }
}

/// The vectors that a step's kernels read from one buffer: eight storage buffers are all that WebGPU promises a kernel.
fn pack(step: &Step) -> Option<Vec<WeightId>> {
    match (step.op, step.weights.as_slice()) {
        // The bias of dt, then D.
        (Op::SelectiveScan, &[dt_bias, _, d]) => Some(vec![dt_bias, d]),
        (Op::Wkv7 { .. }, vectors) => Some(vectors.to_vec()),
        _ => None,
    }
}

fn pack_floats(network: &Network, pack: &[WeightId]) -> usize {
    pack.iter().map(|id| network.tensors[id.0].rows * network.tensors[id.0].columns).sum()
}

/// Floats of each pack of a network.
pub fn packs(network: &Network) -> impl Iterator<Item = usize> {
    network.plan.steps().filter_map(pack).map(|pack| pack_floats(network, &pack))
}

/// Bytes of a buffer's activations.
fn acts_bytes(activations: Activations, width: usize, rows: usize) -> usize {
    4 * rows * activations::row_words(activations, width)
}

/// Bytes of the planes of some buffers, for chunks of `tokens`.
fn planes_bytes(plan: &Plan, activations: Activations, tokens: usize, ids: &[BufferId]) -> usize {
    ids.iter().map(|id| acts_bytes(activations, plan.buffer(*id).width, tokens)).sum()
}

/// The lists of buffers that are planes of one, where a binding can hold it.
pub fn planes(gpu: &Gpu, plan: &Plan, activations: Activations, tokens: usize) -> Vec<Vec<BufferId>> {
    let fits = |ids: &Vec<_>| planes_bytes(plan, activations, tokens, ids) as u64 <= gpu.max_binding_bytes;
    layouts::planes(plan).into_iter().filter(fits).collect()
}

/// One row of f32 of each of some buffers, as large as the units of products that read it, all in one buffer.
fn rows_together(gpu: &Gpu, plan: &Plan, together: &[BufferId]) -> Vec<(BufferId, Bound)> {
    let bytes = |id: &BufferId| (4 * plan.buffer(*id).width as u64).next_multiple_of(ALIGNMENT);
    let all = together.iter().map(bytes).sum::<u64>() as usize;
    let buffer = make_buffer(gpu, "rows", all, wgpu::BufferUsages::STORAGE);
    let mut offset = 0;
    let mut row = |id: &BufferId| {
        let bound = Bound { buffer: buffer.clone(), offset, bytes: bytes(id) };
        offset += bytes(id);
        (*id, bound)
    };
    together.iter().map(&mut row).collect()
}

impl Storage {
    /// Makes every buffer, for chunks of `tokens`, logits of `outputs` tokens, and `slots` states; `rows` are the sets of buffers of
    /// which decode keeps a row in one buffer.
    pub fn new(
        gpu: &Gpu,
        network: &Network,
        activations: Activations,
        (tokens, outputs, slots): (usize, usize, usize),
        rows: &[Vec<BufferId>],
    ) -> Self {
        let storage = wgpu::BufferUsages::STORAGE;
        let plan = &network.plan;
        let planes = planes(gpu, plan, activations, tokens).into_iter().map(|ids| {
            let bytes = planes_bytes(plan, activations, tokens, &ids);
            (ids, make_buffer(gpu, "planes", bytes, storage))
        });
        let planes: Vec<_> = planes.collect();
        let row_of: HashMap<_, _> = rows.iter().flat_map(|together| rows_together(gpu, plan, together)).collect();
        let plane = |id: BufferId, bytes: u64| {
            let found =
                planes.iter().find_map(|(ids, buffer)| Some((ids.iter().position(|other| *other == id)?, buffer)));
            found.map(|(number, buffer)| Bound { buffer: buffer.clone(), offset: number as u64 * bytes, bytes })
        };
        let buffers = plan.buffers.iter().enumerate().map(|(i, buffer)| {
            let stored = layouts::stored(plan, BufferId(i));
            let rows = match buffer.rows {
                Rows::Tokens => tokens,
                Rows::Outputs => outputs,
            };
            let make = |bytes: usize| make_buffer(gpu, buffer.name, bytes, storage);
            let acts = acts_bytes(activations, buffer.width, rows);
            PlanBuffer {
                plain: stored.plain.then(|| make(4 * rows * buffer.width)),
                acts: stored.activations.then(|| plane(BufferId(i), acts as u64).unwrap_or_else(|| make(acts).into())),
                row: row_of.get(&BufferId(i)).cloned(),
                width: buffer.width,
                read: layouts::read(plan, BufferId(i)),
            }
        });
        let packs = plan.steps().filter_map(pack).map(|ids| {
            let bytes = 4 * pack_floats(network, &ids);
            (ids, make_buffer(gpu, "pack", bytes, storage))
        });
        Self {
            activations,
            buffers: buffers.collect(),
            rows: tokens,
            tokens: make_buffer(gpu, "tokens", 4 * tokens, storage),
            batch: make_buffer(gpu, "batch", size_of::<params::Batch>(), wgpu::BufferUsages::UNIFORM),
            packs: packs.collect(),
            planes,
            states: States::new(gpu, network, slots),
        }
    }

    /// Copies the vectors of each pack, uploaded apart, into their common buffer.
    pub fn fill_packs(&self, gpu: &Gpu, weights: &[DeviceWeight]) {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for (ids, buffer) in &self.packs {
            let mut to = 0;
            for id in ids {
                let from = weights[id.0].shards[0].bound();
                encoder.copy_buffer_to_buffer(&from.buffer, from.offset, buffer, to, from.bytes);
                to += from.bytes;
            }
        }
        gpu.queue.submit([encoder.finish()]);
    }

    /// The buffer of the vectors that a step's kernels read from one.
    ///
    /// # Panics
    /// Where they read none so.
    pub fn pack(&self, step: &Step) -> Bound {
        let found = pack(step).and_then(|ids| self.packs.iter().find(|(pack, _)| *pack == ids));
        let Some((_, buffer)) = found else { unreachable!("{} reads no packed vectors", step.op.name()) };
        buffer.clone().into()
    }

    /// A plan's buffer.
    pub fn buffer(&self, id: BufferId) -> &PlanBuffer {
        &self.buffers[id.0]
    }

    /// The buffer whose planes are the activations of some buffers, and rows of a plane; none where they are apart.
    pub fn planes(&self, ids: &[BufferId]) -> Option<(Bound, usize)> {
        let (_, buffer) = self.planes.iter().find(|(planes, _)| planes == ids)?;
        Some((buffer.clone().into(), self.rows))
    }

    /// Token ids of the chunk, or of each sequence's next token.
    pub fn tokens(&self) -> &wgpu::Buffer {
        &self.tokens
    }

    /// [`params::Batch`].
    pub fn batch(&self) -> &wgpu::Buffer {
        &self.batch
    }

    /// The buffer of a state tensor, (slots, rows, columns).
    pub fn state(&self, id: StateId) -> &wgpu::Buffer {
        &self.states.0[id.0]
    }

    /// Makes room for `slots` states, all zero, in place of those before. What is bound to the old ones keeps them.
    pub fn replace_states(&mut self, gpu: &Gpu, network: &Network, slots: usize) {
        self.states = States::new(gpu, network, slots);
    }

    /// Each tensor of the state in a slot: its buffer, its first byte there, and its floats (none for the past of a convolution of
    /// one tap).
    pub fn state_in(&self, network: &Network, slot: u32) -> Vec<(&wgpu::Buffer, u64, usize)> {
        let tensors = self.states.0.iter().zip(&network.state).map(|(buffer, tensor)| {
            let floats = tensor.floats();
            (buffer, u64::from(slot) * 4 * floats as u64, floats)
        });
        tensors.collect()
    }

    /// What a chunk that writes to `slot` overwrites for later steps: the slot's state, and the tokens, which may be those that the
    /// device sampled for the next step.
    fn overwritten(&self, network: &Network, slot: u32) -> impl Iterator<Item = (&wgpu::Buffer, u64, u64)> {
        let states = self.state_in(network, slot).into_iter().filter(|(_, _, floats)| *floats > 0);
        let states = states.map(|(buffer, at, floats)| (buffer, at, 4 * floats as u64));
        states.chain([(&self.tokens, 0, self.tokens.size())])
    }

    /// Copies what a chunk that writes to `slot` overwrites, for [`Storage::restore`].
    pub fn save(&self, gpu: &Gpu, network: &Network, slot: u32) -> Saved {
        let bytes: u64 = self.overwritten(network, slot).map(|(_, _, bytes)| bytes).sum();
        let copy = make_buffer(gpu, "saved", bytes as usize, wgpu::BufferUsages::empty());
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut to = 0;
        for (buffer, from, bytes) in self.overwritten(network, slot) {
            encoder.copy_buffer_to_buffer(buffer, from, &copy, to, bytes);
            to += bytes;
        }
        gpu.queue.submit([encoder.finish()]);
        Saved { slot, copy }
    }

    /// Puts back what was saved.
    pub fn restore(&self, gpu: &Gpu, network: &Network, saved: &Saved) {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut from = 0;
        for (buffer, to, bytes) in self.overwritten(network, saved.slot) {
            encoder.copy_buffer_to_buffer(&saved.copy, from, buffer, to, bytes);
            from += bytes;
        }
        gpu.queue.submit([encoder.finish()]);
    }

    /// What a plan's buffer holds in a layout that was written: its first `rows` rows as f32.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn read(
        &self,
        gpu: &Gpu,
        (id, layout): (BufferId, Layout),
        rows: usize,
        one_token: bool,
    ) -> Result<Vec<f32>> {
        let buffer = self.buffer(id);
        let Bound { buffer: bytes, offset, .. } = buffer.in_layout(layout, one_token);
        if layout == Layout::Plain {
            return gpu.read_parts(&[(&bytes, offset, rows * buffer.width)]).await;
        }
        let words = activations::row_words(self.activations, buffer.width);
        let rows = gpu.read_parts(&[(&bytes, offset, rows * words)]).await?;
        let decode = |row: &[f32]| activations::decode_row(self.activations, row, buffer.width);
        Ok(rows.chunks_exact(words).flat_map(decode).collect())
    }

    /// Puts values into a plan's buffer, from its first row on, in each of its f32 forms. A form in 8 bits is left as it is.
    pub fn write(&self, gpu: &Gpu, id: BufferId, values: &[f32]) {
        let buffer = self.buffer(id);
        if let Some(plain) = &buffer.plain {
            gpu.queue.write_buffer(plain, 0, bytemuck::cast_slice(values));
        }
        if let Some(row) = &buffer.row {
            gpu.queue.write_buffer(&row.buffer, row.offset, bytemuck::cast_slice(&values[..buffer.width]));
        }
        if let (Some(acts), Activations::F32) = (&buffer.acts, self.activations) {
            let stride = 4 * activations::row_words(self.activations, buffer.width) as u64;
            for (row, at) in values.chunks_exact(buffer.width).zip(0..) {
                gpu.queue.write_buffer(&acts.buffer, acts.offset + at * stride, bytemuck::cast_slice(row));
            }
        }
    }

    /// True where a plan's buffer has a form in 8 bits.
    pub fn has_8_bit_form(&self, id: BufferId) -> bool {
        self.activations == Activations::Q8 && self.buffer(id).acts.is_some()
    }

    /// True where 8 bits are the only form of a plan's buffer.
    pub fn is_8_bit_only(&self, id: BufferId) -> bool {
        self.has_8_bit_form(id) && self.buffer(id).plain.is_none()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        let others = self.packs.iter().map(|(_, buffer)| buffer).chain(&self.states.0);
        self.buffers.iter().map(PlanBuffer::bytes).sum::<u64>() + others.map(wgpu::Buffer::size).sum::<u64>()
    }
}
