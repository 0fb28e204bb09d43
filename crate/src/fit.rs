//! Plans a model before it is downloaded or loaded: by the file's header alone, whether it fits a device.

use std::rc::Rc;

use serde::Serialize;

use crate::cpu::CpuExecutor;
use crate::cpu::calibrate::min_ranks;
use crate::engine::{BackendChoice, LoadOptions, tokenizer};
use crate::error::{Error, Result};
use crate::executor::Memory;
use crate::gguf::Gguf;
use crate::model::{ModelFile, Slice};
use crate::source::ByteSource;

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
    /// What the model needs there.
    pub needs: Needs,
    /// Where it would run.
    pub device: Device,
    /// False where loading would fail.
    pub fits: bool,
    /// Why it does not fit, or why the GPU is not used.
    pub problem: Option<Problem>,
    /// A warning that does not decide `fits`, as a sentence.
    pub doubt: Option<String>,
}

/// A GPU whose largest buffer is smaller than the model divided by this may have too little memory in all: a warning.
#[cfg(feature = "gpu")]
const DOUBTFUL_PART: u64 = 4;

/// Plans a model by its header. `sources` are as of [`crate::engine::Model::load`]; of a split set the first part is
/// enough, whose length is then taken as that of the whole. Only headers are read.
///
/// # Errors
/// What is wrong with the file: another architecture, tensors of other shapes or types, a vocabulary that cannot be used.
/// [`Error::NoGpu`] or [`Error::InvalidOption`] where the options ask for what this device does not have.
pub async fn plan(sources: Vec<Rc<dyn ByteSource>>, options: &LoadOptions) -> Result<Fit> {
    let model = ModelFile::of(Gguf::open_start(sources).await?)?;
    tokenizer(&model, options)?;
    let model = Judged(model);
    match options.backend {
        BackendChoice::Cpu => Ok(model.on_cpu(usize::MAX as u64, options)),
        BackendChoice::WebGpu => model.on_gpu(options).await,
        BackendChoice::Auto => model.anywhere(options).await,
    }
}

/// A model that is judged.
struct Judged(ModelFile);

impl Judged {
    async fn anywhere(&self, options: &LoadOptions) -> Result<Fit> {
        let cpu = self.on_cpu(usize::MAX as u64, options);
        match self.on_gpu(&crate::engine::any_hardware(options)).await {
            // Where neither holds it, the GPU's limits are the ones to know.
            Ok(gpu) if gpu.fits || !cpu.fits => Ok(gpu),
            Ok(gpu) => Ok(Fit { problem: gpu.problem, ..cpu }),
            Err(error @ (Error::NoGpu { .. } | Error::Gpu { .. })) if cpu.fits => {
                Ok(Fit { problem: Some(problem(&error)), ..cpu })
            }
            Err(Error::NoGpu { .. } | Error::Gpu { .. }) => Ok(cpu),
            Err(error) => Err(error),
        }
    }

    fn needs(&self, memory: Memory) -> Needs {
        let weights = if self.0.gguf.is_partial() { self.0.gguf.total_bytes() } else { memory.weights };
        let total = weights + memory.state + memory.scratch;
        let Memory { state, scratch, .. } = memory;
        Needs { weights, state, scratch, total, largest_binding: self.largest_binding() }
    }

    fn on_cpu(&self, available: u64, options: &LoadOptions) -> Fit {
        let needs = self.needs(CpuExecutor::memory_needed(&self.0.network, &self.0.weights));
        let needed = needs.total;
        let too_large = Error::OutOfMemory { what: "the model".into(), needed, available: Some(available) };
        // Workers have an address space each.
        let shared = || match self.0.gguf.is_partial() {
            // How the tensors that are not here yet will be cut is unknown.
            true => needed / Slice::max_ranks(&self.0.network, &self.0.weights) as u64 <= available,
            false => min_ranks(&self.0.network, &self.0.weights, available).is_some(),
        };
        let fits = needed <= available || options.workers.is_some() && shared();
        let device = Device {
            backend: "cpu",
            adapter: "CPU".into(),
            max_buffer: None,
            max_binding: None,
            subgroup: None,
            packed_products: None,
            // Natively the address space says nothing.
            memory: u32::try_from(available).is_ok().then_some(available),
        };
        Fit { needs, device, fits, problem: (!fits).then(|| problem(&too_large)), doubt: None }
    }

    #[cfg(feature = "gpu")]
    fn largest_binding(&self) -> u64 {
        crate::gpu::GpuExecutor::largest_binding(&self.0.network, &self.0.weights)
    }

    #[cfg(not(feature = "gpu"))]
    fn largest_binding(&self) -> u64 {
        0
    }

    #[cfg(feature = "gpu")]
    async fn on_gpu(&self, options: &LoadOptions) -> Result<Fit> {
        use crate::gpu::{Gpu, GpuExecutor};
        let gpu = Gpu::open(&options.gpu).await?;
        let activations = gpu.activations(options.activations)?;
        let granted = gpu.granted();
        let needs = self.needs(GpuExecutor::memory_needed(&self.0.network, &self.0.weights));
        let refusal = GpuExecutor::refusal(&self.0.network, &self.0.weights, activations, granted.max_binding);
        let device = Device {
            backend: gpu.kind(),
            adapter: gpu.adapter_name(),
            max_buffer: Some(granted.max_buffer),
            max_binding: Some(granted.max_binding),
            subgroup: Some(granted.subgroup),
            packed_products: Some(granted.packed_products),
            memory: None,
        };
        let doubtful = needs.total / DOUBTFUL_PART > granted.max_buffer;
        let doubt = || {
            format!(
                "The model needs {} bytes and this GPU's largest buffer is {}: it may have too little memory.",
                needs.total, granted.max_buffer
            )
        };
        let doubt = (refusal.is_none() && doubtful).then(doubt);
        Ok(Fit { needs, device, fits: refusal.is_none(), problem: refusal.as_ref().map(problem), doubt })
    }

    #[cfg(not(feature = "gpu"))]
    async fn on_gpu(&self, _: &LoadOptions) -> Result<Fit> {
        Err(Error::NoGpu { problem: "this build has no GPU support".into() })
    }
}

fn problem(error: &Error) -> Problem {
    let (needed, available) = match error {
        Error::OutOfMemory { needed, available, .. } => (Some(*needed), *available),
        _ => (None, None),
    };
    Problem { code: error.code(), message: error.to_string(), remedy: error.remedy(), needed, available }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
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

    fn judge(start: (Vec<u8>, u64), options: &LoadOptions) -> Result<Fit> {
        pollster::block_on(plan(vec![Rc::new(Start(start.0, start.1))], options))
    }

    fn cpu() -> LoadOptions {
        LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() }
    }

    #[test]
    fn the_header_alone_is_read_and_adds_up() {
        let fit = judge(header("mamba", 256, &[]), &cpu()).unwrap();
        assert!(fit.fits && fit.problem.is_none());
        assert_eq!(fit.needs.total, fit.needs.weights + fit.needs.state + fit.needs.scratch);
        // conv and SSM state of one layer, one sequence.
        assert_eq!(fit.needs.state, 4 * 512 * (3 + 16));
    }

    #[test]
    fn other_architectures_are_refused_by_their_header() {
        assert!(matches!(judge(header("llama", 256, &[]), &cpu()), Err(Error::Architecture { .. })));
    }

    #[test]
    fn the_problem_of_a_cpu_with_too_little_memory_has_the_numbers() {
        let (bytes, length) = header("mamba", 256, &[]);
        let file = ModelFile::of(pollster::block_on(Gguf::open(vec![Rc::new(Start(bytes, length))])).unwrap()).unwrap();
        let fit = Judged(file).on_cpu(1_000_000, &cpu());
        let problem = fit.problem.unwrap();
        assert_eq!((fit.fits, problem.code, problem.available), (false, "out-of-memory", Some(1_000_000)));
        assert_eq!(problem.needed, Some(fit.needs.total));
    }

    /// The tensors of other parts are unknown: their bytes are the files'.
    #[test]
    fn the_first_part_of_a_set_is_enough() {
        let set = [("split.no", 0), ("split.count", 3), ("split.tensors.count", 99)];
        let (bytes, length) = header("mamba", 256, &set);
        let fit = judge((bytes, 10 * length), &cpu()).unwrap();
        assert_eq!(fit.needs.weights, 10 * length);
    }
}
