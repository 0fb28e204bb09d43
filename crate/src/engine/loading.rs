//! Which backend a model is loaded onto, and how.

use std::time::Duration;

use super::model_file::ModelFile;
use super::{BackendChoice, LoadOptions};
use crate::cpu::CpuExecutor;
use crate::cpu::calibrate::choose_ranks;
use crate::cpu::team::TeamExecutor;
use crate::error::{Error, Result};
use crate::executor::{Activations, Executor};

/// Natively a software adapter is only a slower CPU. A browser shows one only where it was told to, so there it is taken.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) fn any_hardware(options: &LoadOptions) -> LoadOptions {
    let hardware_only = options.gpu.adapter.is_none();
    LoadOptions { gpu: crate::gpu::GpuOptions { hardware_only, ..options.gpu.clone() }, ..options.clone() }
}

#[cfg(not(all(feature = "gpu", not(target_arch = "wasm32"))))]
pub(crate) fn any_hardware(options: &LoadOptions) -> LoadOptions {
    options.clone()
}

/// A model on a backend.
pub(super) struct Loaded {
    pub executor: Box<dyn Executor>,
    /// Why there, as a sentence.
    pub reason: String,
    /// How long the GPU's self-test took.
    pub self_test: Option<Duration>,
}

impl ModelFile {
    /// Loads it onto the backend that the options and this device lead to.
    pub(super) async fn load(&self, options: &LoadOptions, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        match options.backend {
            BackendChoice::Cpu => self.cpu(options, "The CPU was asked for.".into(), progress).await,
            BackendChoice::WebGpu => self.gpu(options, "The GPU was asked for.", progress).await,
            BackendChoice::Auto => match self.gpu(&any_hardware(options), "A GPU is available.", progress).await {
                Err(
                    error @ (Error::NoGpu { .. }
                    | Error::Gpu { .. }
                    | Error::DeviceLost { .. }
                    | Error::SelfTest { .. }
                    | Error::OutOfMemory { .. }),
                ) => {
                    let reason = match error {
                        Error::NoGpu { problem } => format!("There is no GPU to use: {problem}."),
                        other => format!("The GPU cannot be used: {other}."),
                    };
                    self.cpu(options, reason, progress).await
                }
                loaded => loaded,
            },
        }
    }

    fn count<'p>(&self, progress: &'p mut dyn FnMut(u64, u64)) -> impl FnMut(u64) + 'p {
        let total = self.weights.all().iter().map(|w| w.tensor.bytes).sum();
        let mut done = 0;
        move |bytes| {
            done += bytes;
            progress(done, total);
        }
    }

    async fn cpu(&self, options: &LoadOptions, reason: String, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        let mut count = self.count(progress);
        let activations = options.activations.unwrap_or(Activations::Q8);
        if let Some(crew) = &options.crew {
            let ranks = choose_ranks(&**crew, &self.config, &self.weights, activations).await?;
            if ranks > 1 {
                let Self { gguf, config, weights } = self;
                let team = (&**crew, ranks, false);
                let executor = TeamExecutor::load(gguf, config, weights, activations, team, &mut count).await?;
                return Ok(Loaded { executor: Box::new(executor), reason, self_test: None });
            }
        }
        let mut executor = CpuExecutor::load(&self.gguf, &self.config, &self.weights, activations, &mut count).await?;
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        executor.set_threads(options.threads.unwrap_or_else(all));
        Ok(Loaded { executor: Box::new(executor), reason, self_test: None })
    }

    #[cfg(feature = "gpu")]
    async fn gpu(&self, options: &LoadOptions, reason: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        let gpu = crate::gpu::Gpu::open(&options.gpu).await?;
        let activations = gpu.activations(options.activations)?;
        let self_test = match options.gpu.self_test.unwrap_or(!gpu.is_software()) {
            false => None,
            true => {
                let start = web_time::Instant::now();
                crate::gpu::self_test(&gpu, &self.config, &self.weights, activations).await?;
                Some(start.elapsed())
            }
        };
        let mut count = self.count(progress);
        let Self { gguf, config, weights } = self;
        let load = crate::gpu::GpuExecutor::load(gpu, gguf, config, weights, activations, &mut count);
        Ok(Loaded { executor: Box::new(load.await?), reason: reason.into(), self_test })
    }

    #[cfg(not(feature = "gpu"))]
    async fn gpu(&self, _: &LoadOptions, _: &str, _: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        Err(Error::NoGpu { problem: "this build has no GPU support".into() })
    }
}
