//! A model on the device: weights, buffers, and the stages that are bound to them. Between two changes of the number of states
//! nothing of it changes, whatever is run.

use super::sampling::{GpuSampler, SamplingShape};
use crate::error::Result;
use crate::executor::Activations;
use crate::gpu::device::Gpu;
use crate::gpu::lowering::{
    Dispatch, Extent, Lowering, Order, Place, Stage, bind, lower_chunk, lower_decode, programs,
};
use crate::gpu::resources::{
    Compiling, DeviceWeight, Groups, MAX_CHUNK_TOKENS, MAX_OUTPUTS, Pipelines, Storage, allocate, planes, upload,
};
use crate::model::{ModelFile, Network, Rows, WeightId};

/// A loaded model. Its stages are always bound to its present states: what replaces the states binds the stages anew.
pub struct LoadedModel {
    gpu: Gpu,
    network: Network,
    activations: Activations,
    weights: Vec<DeviceWeight>,
    storage: Storage,
    groups: Groups,
    pipelines: Pipelines,
    /// Chunks and batches: a stage a step.
    chunk: Vec<Stage>,
    /// One token of one sequence: neighbouring steps fused.
    decode: Vec<Stage>,
    /// Of chunks, of small batches, and of one token.
    orders: [Order; 3],
}

impl LoadedModel {
    /// Uploads every weight and makes every pipeline, with room for `slots` states. `progress` is called with each number of file
    /// bytes read.
    ///
    /// # Errors
    /// As [`crate::gpu::GpuExecutor::load`].
    pub async fn load(
        gpu: Gpu,
        file: &ModelFile,
        activations: Activations,
        slots: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self> {
        let ModelFile { gguf, network, weights } = file;
        let planes = planes(&gpu, &network.plan, activations, MAX_CHUNK_TOKENS);
        let groups = Groups::of(network, weights, &planes, gpu.max_shard_bytes);
        let buffers = allocate(&gpu, weights, &groups.weights(network))?;
        let capacities = (MAX_CHUNK_TOKENS, MAX_OUTPUTS, slots);
        let storage = Storage::new(&gpu, network, activations, capacities, groups.outputs());
        let mut model = Self {
            gpu,
            network: network.clone(),
            activations,
            weights: buffers,
            storage,
            groups,
            pipelines: Pipelines::default(),
            chunk: Vec::new(),
            decode: Vec::new(),
            orders: Default::default(),
        };
        // The pipelines are compiled while the weights are read.
        let compiling = model.start_pipelines();
        upload(&model.gpu, gguf, weights, &model.weights, progress).await?;
        model.storage.fill_packs(&model.gpu, &model.weights);
        model.pipelines.finish(compiling).await?;
        model.bind_stages();
        Ok(model)
    }

    fn lowering(&self, one_token: bool) -> Lowering<'_> {
        Lowering {
            gpu: &self.gpu,
            network: &self.network,
            weights: &self.weights,
            storage: &self.storage,
            groups: &self.groups,
            activations: self.activations,
            one_token,
        }
    }

    fn start_pipelines(&mut self) -> Compiling {
        let stages = [lower_decode(&self.lowering(true)), lower_chunk(&self.lowering(false))];
        let stages = stages.iter().flat_map(|stages| programs(&self.gpu, stages));
        // The slowest to compile comes first: the sampler's second.
        let all: Vec<_> = GpuSampler::programs(&self.gpu).into_iter().rev().chain(stages).collect();
        self.pipelines.start(&self.gpu, all.into_iter())
    }

    fn bind_stages(&mut self) {
        let (decode, chunk) = (lower_decode(&self.lowering(true)), lower_chunk(&self.lowering(false)));
        let layer_steps = self.network.plan.layers.len();
        let side_by_side = |small_batch| Order::side_by_side(&chunk, layer_steps, small_batch);
        self.orders = [side_by_side(false), side_by_side(true), Order::of_steps(&decode, layer_steps)];
        let mut bind = |stages| bind(&self.gpu, &mut self.pipelines, self.storage.batch(), stages);
        self.decode = bind(decode);
        self.chunk = bind(chunk);
    }

    /// Makes room for `slots` states, all zero, in place of those before.
    pub fn replace_states(&mut self, slots: usize) {
        self.storage.replace_states(&self.gpu, &self.network, slots);
        self.bind_stages();
    }

    /// A sampler of the logits that this model leaves behind, whose tokens it reads next; for a number of rows and steps. None where the
    /// device cannot sample from this vocabulary.
    pub fn sampler(&mut self, rows: usize, steps: usize) -> Option<GpuSampler> {
        let vocab_size = self.network.vocab_size;
        let shape = SamplingShape { vocab_size, stride: vocab_size, rows, steps };
        let logits = self.storage.buffer(self.network.plan.logits).plain();
        GpuSampler::new(&self.gpu, &mut self.pipelines, shape, &logits, self.storage.tokens())
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// What it runs.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How matrix products see their input.
    pub fn activations(&self) -> Activations {
        self.activations
    }

    /// A weight.
    pub fn weight(&self, id: WeightId) -> &DeviceWeight {
        &self.weights[id.0]
    }

    /// The buffers beside the weights.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Bytes of weights, buffers and states.
    pub fn bytes(&self) -> u64 {
        self.weights.iter().map(DeviceWeight::bytes).sum::<u64>() + self.storage.bytes()
    }

    /// The stages for an extent, head included.
    pub fn stages(&self, extent: Extent) -> &[Stage] {
        if extent.is_one_token() { &self.decode } else { &self.chunk }
    }

    /// The dispatches to run, head included where logits are wanted, in levels whose dispatches may run at once.
    pub fn levels(&self, extent: Extent) -> impl Iterator<Item = &[Place]> {
        let order = match () {
            () if extent.is_one_token() => 2,
            () if extent.is_small_batch(Rows::Tokens) => 1,
            () => 0,
        };
        self.orders[order].levels(extent.outputs)
    }

    /// One of [`LoadedModel::levels`].
    pub fn dispatch(&self, extent: Extent, (stage, own): Place) -> &Dispatch {
        &self.stages(extent)[stage].dispatches[own]
    }
}
