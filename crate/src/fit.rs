//! Plans a model before it is downloaded or loaded: by the file's header alone, whether it fits a device. The rule is [`judge`]'s,
//! which also judges models by their numbers in a list.

mod judge;

use std::rc::Rc;

use serde::Serialize;

use crate::cpu::CpuExecutor;
use crate::cpu::calibrate::{min_ranks, min_ranks_by_bytes};
use crate::engine::{BackendChoice, LoadOptions, tokenizer};
use crate::error::{Error, Result};
use crate::executor::Memory;
use crate::gguf::Gguf;
use crate::model::ModelFile;
use crate::source::ByteSource;

pub use judge::{
    ADDRESS_SPACE, Backend, CpuLimits, GpuLimits, HostMemory, Limit, Limits, Reason, Requirements, Verdict, judge,
};

/// What a model needs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Needs {
    /// Its tensors, as the device keeps them. Of a split set that is not all there, the length of its files.
    pub weights: u64,
    /// The state.
    pub state: u64,
    /// Activations of one chunk.
    pub scratch: u64,
    /// The sum.
    pub total: u64,
    /// The largest thing that must lie in one storage binding of a GPU. Matrices are split by rows, all else is not.
    pub largest_binding: u64,
}

/// What a device has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// `webgpu` (natively the GPU's API, such as `vulkan`) or `cpu`.
    pub backend: &'static str,
    /// The adapter's name, or `CPU`.
    pub adapter: String,
    /// A GPU's largest buffer: a hint of its memory, which no API reports.
    pub max_buffer: Option<u64>,
    /// A GPU's largest storage binding.
    pub max_binding: Option<u64>,
    /// The smallest subgroup size of a GPU; 1 where kernels may not shuffle.
    pub subgroup: Option<usize>,
    /// Whether a GPU can use 8-bit activations.
    pub packed_products: Option<bool>,
    /// On the CPU, the bytes that a program can address: 4 GiB in a page.
    pub memory: Option<u64>,
}

/// Why a model does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The limit that it exceeds; none where there is another reason.
    pub limit: Option<Limit>,
    /// The error's stable name.
    pub code: &'static str,
    /// What is wrong, with numbers.
    pub message: String,
    /// What the user can do.
    pub remedy: &'static str,
    /// Bytes that are needed.
    pub needed: Option<u64>,
    /// Bytes that are available.
    pub available: Option<u64>,
}

/// The plan for a model on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// What the model requires of any device: what [`judge`] judges, and a list of models may carry.
    pub requirements: Requirements,
    /// What the model needs there.
    pub needs: Needs,
    /// Where it would run.
    pub device: Device,
    /// False where the device cannot hold it.
    pub fits: bool,
    /// Why it does not fit, or why the GPU is not used.
    pub problem: Option<Problem>,
    /// What speaks against it where it fits, the weightiest first.
    pub doubts: Vec<Reason>,
}

/// [`plan_with_memory`] where the device's memory is unknown, which is a doubt.
///
/// # Errors
/// As of [`plan_with_memory`].
pub async fn plan(sources: Vec<Rc<dyn ByteSource>>, options: &LoadOptions) -> Result<Fit> {
    plan_with_memory(sources, options, None).await
}

/// Plans a model by its header, on a device of so much memory. `sources` are as of [`crate::engine::Model::load`]; of a split set
/// the first part is enough, whose length is then taken as that of the whole. Only headers are read.
///
/// # Errors
/// What is wrong with the file: another architecture, tensors of other shapes or types, a vocabulary that cannot be used.
/// [`Error::NoGpu`] or [`Error::InvalidOption`] where the options ask for what this device does not have.
pub async fn plan_with_memory(
    sources: Vec<Rc<dyn ByteSource>>,
    options: &LoadOptions,
    memory: Option<HostMemory>,
) -> Result<Fit> {
    let file = ModelFile::of(Gguf::open_start(sources).await?)?;
    tokenizer(&file, options)?;
    let model = Planned { requirements: requirements(&file), file };
    let cpu = cpu_limits(options);
    match options.backend {
        BackendChoice::Cpu => Ok(model.fit(None, Limits { gpu: None, cpu, memory })),
        BackendChoice::WebGpu => {
            let gpu = OpenGpu::open(options).await?;
            let limits = Limits { gpu: Some(gpu.limits), cpu: CpuLimits::Unused, memory };
            Ok(model.fit(Some(&gpu), limits))
        }
        BackendChoice::Auto => match OpenGpu::open(&crate::engine::any_hardware(options)).await {
            Ok(gpu) => Ok(model.fit(Some(&gpu), Limits { gpu: Some(gpu.limits), cpu, memory })),
            Err(error @ (Error::NoGpu { .. } | Error::Gpu { .. })) => {
                let fit = model.fit(None, Limits { gpu: None, cpu, memory });
                // Where it fits, what is to be known is why the GPU is not used.
                let no_gpu = fit.fits.then(|| problem(&error, None));
                Ok(Fit { problem: no_gpu.or(fit.problem), ..fit })
            }
            Err(error) => Err(error),
        },
    }
}

/// What a model requires of any device, by the lists that its header gives.
pub fn requirements(file: &ModelFile) -> Requirements {
    let ModelFile { gguf, network, weights } = file;
    let on_cpu = needs(file, CpuExecutor::memory_needed(network, weights)).total;
    let on_gpu = gpu_memory(file).map_or(0, |memory| needs(file, memory).total);
    let ranks = match gguf.is_partial() {
        true => min_ranks_by_bytes(network, weights, on_cpu, ADDRESS_SPACE),
        false => min_ranks(network, weights, ADDRESS_SPACE),
    };
    Requirements {
        memory: on_cpu.max(on_gpu),
        largest_binding: largest_binding(file),
        ranks: ranks.map_or(0, |ranks| ranks as u32),
    }
}

/// What a backend that takes `memory` needs.
fn needs(file: &ModelFile, memory: Memory) -> Needs {
    // Of a split set that is not all there, no more is known of the weights than the length of the files.
    let weights = if file.gguf.is_partial() { file.gguf.total_bytes() } else { memory.weights };
    let Memory { state, scratch, .. } = memory;
    let total = weights.saturating_add(state).saturating_add(scratch);
    Needs { weights, state, scratch, total, largest_binding: largest_binding(file) }
}

/// A page's workers have an address space each; natively there is one without a bound.
fn cpu_limits(options: &LoadOptions) -> CpuLimits {
    if !cfg!(target_family = "wasm") {
        return CpuLimits::Native;
    }
    let workers = options.workers.as_ref().map_or(1, |pool| pool.max_ranks().max(pool.requested_ranks().unwrap_or(1)));
    CpuLimits::Workers(u32::try_from(workers).unwrap_or(u32::MAX))
}

#[cfg(feature = "gpu")]
fn gpu_memory(file: &ModelFile) -> Option<Memory> {
    Some(crate::gpu::GpuExecutor::memory_needed(&file.network, &file.weights))
}

#[cfg(not(feature = "gpu"))]
fn gpu_memory(_: &ModelFile) -> Option<Memory> {
    None
}

#[cfg(feature = "gpu")]
fn largest_binding(file: &ModelFile) -> u64 {
    crate::gpu::GpuExecutor::largest_binding(&file.network, &file.weights)
}

#[cfg(not(feature = "gpu"))]
fn largest_binding(_: &ModelFile) -> u64 {
    0
}

/// The GPU that a model would run on.
struct OpenGpu {
    device: Device,
    limits: GpuLimits,
}

impl OpenGpu {
    #[cfg(feature = "gpu")]
    async fn open(options: &LoadOptions) -> Result<Self> {
        let gpu = crate::gpu::Gpu::open(&options.gpu).await?;
        // What this GPU cannot do, it is asked for in vain.
        gpu.activations(options.activations)?;
        let granted = gpu.granted();
        let device = Device {
            backend: gpu.kind(),
            adapter: gpu.adapter_name(),
            max_buffer: Some(granted.max_buffer),
            max_binding: Some(granted.max_binding),
            subgroup: Some(granted.subgroup),
            packed_products: Some(granted.packed_products),
            memory: None,
        };
        Ok(Self { device, limits: GpuLimits { max_buffer: granted.max_buffer, max_binding: granted.max_binding } })
    }

    #[cfg(not(feature = "gpu"))]
    async fn open(_: &LoadOptions) -> Result<Self> {
        Err(Error::NoGpu { problem: "this build has no GPU support".into() })
    }
}

/// A model that is planned.
struct Planned {
    file: ModelFile,
    requirements: Requirements,
}

impl Planned {
    /// The plan on a device of these limits, of which `gpu` is the GPU where there is one.
    fn fit(&self, gpu: Option<&OpenGpu>, limits: Limits) -> Fit {
        let Verdict { fits, backend, problem, doubts } = judge(&self.requirements, &limits);
        let on_cpu = CpuExecutor::memory_needed(&self.file.network, &self.file.weights);
        let (device, memory) = match gpu.filter(|_| backend == Backend::Gpu) {
            Some(gpu) => (gpu.device.clone(), gpu_memory(&self.file).unwrap_or(on_cpu)),
            None => (cpu_device(), on_cpu),
        };
        let problem = problem.map(|reason| self.problem(reason, limits));
        Fit { requirements: self.requirements, needs: needs(&self.file, memory), device, fits, problem, doubts }
    }

    /// A reason with its sentences.
    fn problem(&self, reason: Reason, limits: Limits) -> Problem {
        let Reason { code, needed, available } = reason;
        let binding = limits.gpu.filter(|_| code == Limit::GpuBinding).and_then(|gpu| self.binding_error(gpu));
        let whole = || Error::OutOfMemory { what: "the model".into(), needed, available };
        problem(&binding.unwrap_or_else(whole), Some(code))
    }

    /// What is too large for the bindings of a GPU, by its name.
    #[cfg(feature = "gpu")]
    fn binding_error(&self, gpu: GpuLimits) -> Option<Error> {
        use crate::executor::Activations;
        let ModelFile { network, weights, .. } = &self.file;
        crate::gpu::GpuExecutor::refusal(network, weights, Activations::F32, gpu.max_binding)
    }

    #[cfg(not(feature = "gpu"))]
    fn binding_error(&self, _: GpuLimits) -> Option<Error> {
        None
    }
}

fn cpu_device() -> Device {
    Device {
        backend: "cpu",
        adapter: "CPU".into(),
        max_buffer: None,
        max_binding: None,
        subgroup: None,
        packed_products: None,
        // Natively the address space says nothing.
        memory: cfg!(target_family = "wasm").then_some(ADDRESS_SPACE),
    }
}

fn problem(error: &Error, limit: Option<Limit>) -> Problem {
    let (needed, available) = match error {
        Error::OutOfMemory { needed, available, .. } => (Some(*needed), *available),
        _ => (None, None),
    };
    Problem { limit, code: error.code(), message: error.to_string(), remedy: error.remedy(), needed, available }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Slice;
    use crate::model::arch::Architecture as _;
    use crate::model::arch::mamba::Mamba;
    use crate::quant::DType;

    fn header(architecture: &str, d_model: u64, pairs: &[(&str, u64)]) -> (Vec<u8>, u64) {
        use crate::gguf::{HeaderWriter, Value};
        let sizes = [
            ("embedding_length", d_model),
            ("block_count", 1),
            ("ssm.conv_kernel", 4),
            ("ssm.inner_size", 2 * d_model),
        ];
        let mut writer = HeaderWriter::new();
        writer.pair("general.architecture", &Value::String(architecture.into()));
        writer.pair("mamba.attention.layer_norm_rms_epsilon", &Value::Float(1e-5));
        let more = [("ssm.state_size", 16), ("ssm.time_step_rank", 32)];
        for (key, value) in sizes.iter().chain(&more) {
            writer.pair(&format!("mamba.{key}"), &Value::Unsigned(*value));
        }
        for (key, value) in pairs {
            writer.pair(key, &Value::Unsigned(*value));
        }
        let mamba = Mamba {
            d_model: d_model as usize,
            d_inner: 2 * d_model as usize,
            d_state: 16,
            d_conv: 4,
            dt_rank: 32,
            n_layers: 1,
            rms_eps: 1e-5,
            norm_dt_b_c: false,
        };
        // Of a set, the first part has the embedding alone.
        let here = if pairs.is_empty() { usize::MAX } else { 1 };
        for spec in Rc::new(mamba).network(1000, true).tensors.into_iter().take(here) {
            let dtype = if spec.elementwise { DType::F32 } else { DType::Q8_0 };
            writer.tensor(&spec.name(), dtype, &spec.dims());
        }
        let bytes = writer.to_bytes();
        let length = bytes.len() as u64 + writer.data_bytes();
        (bytes, length)
    }

    /// A file of which only the header has come.
    struct Start(Vec<u8>, u64);

    impl ByteSource for Start {
        fn name(&self) -> &str {
            "start"
        }

        fn len(&self) -> u64 {
            self.1
        }

        fn read(&self, offset: u64, length: usize) -> futures_util::future::LocalBoxFuture<'_, Result<Vec<u8>>> {
            let mut bytes = self.0.get(offset as usize..).unwrap_or_default().to_vec();
            bytes.resize(length, 0);
            assert!(offset < self.0.len() as u64, "byte {offset} is past the header");
            Box::pin(std::future::ready(Ok(bytes)))
        }
    }

    fn start((bytes, length): (Vec<u8>, u64)) -> Rc<dyn ByteSource> {
        Rc::new(Start(bytes, length))
    }

    fn planned(start: (Vec<u8>, u64), options: &LoadOptions) -> Result<Fit> {
        pollster::block_on(plan(vec![self::start(start)], options))
    }

    fn cpu() -> LoadOptions {
        LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() }
    }

    #[test]
    fn the_header_alone_is_read_and_adds_up() {
        let fit = planned(header("mamba", 256, &[]), &cpu()).unwrap();
        assert!(fit.fits && fit.problem.is_none());
        assert_eq!(fit.needs.total, fit.needs.weights + fit.needs.state + fit.needs.scratch);
        // conv and SSM state of one layer, one sequence.
        assert_eq!(fit.needs.state, 4 * 512 * (3 + 16));
    }

    #[test]
    fn other_architectures_are_refused_by_their_header() {
        assert!(matches!(planned(header("llama", 256, &[]), &cpu()), Err(Error::Architecture { .. })));
    }

    #[test]
    fn the_problem_of_workers_with_too_little_memory_has_the_numbers() {
        let file =
            ModelFile::of(pollster::block_on(Gguf::open(vec![start(header("mamba", 256, &[]))])).unwrap()).unwrap();
        let requirements = Requirements { ranks: 3, ..requirements(&file) };
        let limits = Limits { gpu: None, cpu: CpuLimits::Workers(2), memory: None };
        let fit = Planned { file, requirements }.fit(None, limits);
        let problem = fit.problem.unwrap();
        assert_eq!((fit.fits, problem.code, problem.limit), (false, "out-of-memory", Some(Limit::NoGpu)));
        assert_eq!(problem.available, Some(2 * ADDRESS_SPACE));
        assert_eq!(problem.needed, Some(requirements.memory));
    }

    #[test]
    fn the_fewest_workers_hold_it_each_in_its_address_space() {
        let file =
            ModelFile::of(pollster::block_on(Gguf::open(vec![start(header("mamba", 2048, &[]))])).unwrap()).unwrap();
        let ModelFile { network, weights, .. } = &file;
        assert_eq!(requirements(&file).ranks, 1);
        let total = CpuExecutor::memory_needed(network, weights).total();
        let spare = 256 << 20;
        assert_eq!(min_ranks(network, weights, spare + total), Some(1));
        let two = min_ranks(network, weights, spare + total - 1);
        assert_eq!(two, Some(2));
        for divisor in 2..8 {
            let available = total / divisor;
            let ranks = min_ranks(network, weights, spare + available).unwrap();
            let most = |ranks: usize| {
                let slices = (0..ranks).map(|rank| Slice::new(network, weights, rank, ranks));
                slices.map(|slice| CpuExecutor::memory_needed(&slice.network, &slice.weights).total()).max().unwrap()
            };
            assert!(most(ranks) <= available && most(ranks - 1) > available, "{divisor}: {ranks}");
        }
        // What every rank has of its own is more than there is.
        assert_eq!(min_ranks(network, weights, spare + 1000), None);
    }

    /// The tensors of other parts are unknown: their bytes are the files'.
    #[test]
    fn the_first_part_of_a_set_is_enough() {
        let set = [("split.no", 0), ("split.count", 3), ("split.tensors.count", 99)];
        let (bytes, length) = header("mamba", 256, &set);
        let fit = planned((bytes, 10 * length), &cpu()).unwrap();
        assert_eq!(fit.needs.weights, 10 * length);
    }
}
