//! Selects the backend of a model and loads it there.

use std::time::Duration;

use super::{BackendChoice, LoadOptions};
use crate::cpu::CpuExecutor;
use crate::cpu::calibrate::choose_ranks;
use crate::cpu::tensor_parallel::TensorParallelExecutor;
use crate::error::{Error, Result};
use crate::executor::{Activations, Executor};
use crate::model::ModelFile;

/// Natively a software adapter is only a slower CPU. A browser offers one only where it is configured to, so there it is used.
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
    /// Why this backend, as a sentence.
    pub reason: String,
    /// How long the GPU's self-test took.
    pub self_test: Option<Duration>,
}

/// Loads a model onto the backend that the options and this device lead to.
pub(super) async fn load(
    file: &ModelFile,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Loaded> {
    match options.backend {
        BackendChoice::Cpu => cpu(file, options, "The CPU was asked for.".into(), progress).await,
        BackendChoice::WebGpu => gpu(file, options, "The GPU was asked for.", progress).await,
        BackendChoice::Auto => match any_gpu(file, options, progress).await {
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
                cpu(file, options, reason, progress).await
            }
            loaded => loaded,
        },
    }
}

/// A device that is lost while weights arrive, for which a download may take hours, says nothing against the next one.
async fn any_gpu(file: &ModelFile, options: &LoadOptions, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
    let options = any_hardware(options);
    match gpu(file, &options, "A GPU is available.", progress).await {
        Err(Error::DeviceLost { .. }) => gpu(file, &options, "A GPU is available.", progress).await,
        loaded => loaded,
    }
}

fn count<'p>(file: &ModelFile, progress: &'p mut dyn FnMut(u64, u64)) -> impl FnMut(u64) + use<'p> {
    let total = file.weights.file_bytes();
    let mut done = 0;
    move |bytes| {
        done += bytes;
        progress(done, total);
    }
}

async fn cpu(
    file: &ModelFile,
    options: &LoadOptions,
    reason: String,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Loaded> {
    let mut count = count(file, progress);
    let activations = options.activations.unwrap_or(Activations::Q8);
    if let Some(pool) = &options.workers {
        let ranks = choose_ranks(&**pool, file, activations).await?;
        if ranks > 1 {
            let executor = TensorParallelExecutor::load(file, activations, (&**pool, ranks, false), &mut count).await?;
            return Ok(Loaded { executor: Box::new(executor), reason, self_test: None });
        }
    }
    let mut executor = CpuExecutor::load(file, activations, &mut count).await?;
    let all = || std::thread::available_parallelism().map_or(1, usize::from);
    executor.set_threads(options.threads.unwrap_or_else(all));
    Ok(Loaded { executor: Box::new(executor), reason, self_test: None })
}

#[cfg(feature = "gpu")]
async fn gpu(
    file: &ModelFile,
    options: &LoadOptions,
    reason: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Loaded> {
    let gpu = crate::gpu::Gpu::open(&options.gpu).await?;
    let activations = gpu.activations(options.activations)?;
    let self_test = match options.gpu.self_test.unwrap_or(!gpu.is_software()) {
        false => None,
        true => {
            let start = web_time::Instant::now();
            crate::gpu::self_test(&gpu, file, activations).await?;
            Some(start.elapsed())
        }
    };
    let executor = crate::gpu::GpuExecutor::load(gpu, file, activations, &mut count(file, progress)).await?;
    Ok(Loaded { executor: Box::new(executor), reason: reason.into(), self_test })
}

#[cfg(not(feature = "gpu"))]
async fn gpu(_: &ModelFile, _: &LoadOptions, _: &str, _: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
    Err(Error::NoGpu { problem: "this build has no GPU support".into() })
}
