//! Compiles pipelines while weights are read: natively on threads, in a page by the browser.

use crate::error::{Error, Result};

pub use platform::Compiling;

/// A pipeline to be compiled.
pub struct CompileJob {
    /// The kernel's name.
    pub name: &'static str,
    pub layout: wgpu::BindGroupLayout,
    pub wgsl: String,
}

#[cfg(not(target_arch = "wasm32"))]
mod platform {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread::{JoinHandle, available_parallelism, spawn};

    use super::{CompileJob, Error, Result};
    use crate::gpu::device::Gpu;
    use crate::gpu::resources::pipelines::make_pipeline;

    /// A model has some ten pipelines: more threads would be idle.
    const MOST_THREADS: usize = 8;

    type Made = (String, wgpu::ComputePipeline);

    /// Pipelines that are being compiled. Once it is dropped, each thread ends after its present pipeline.
    pub struct Compiling {
        queue: Arc<Mutex<Vec<CompileJob>>>,
        threads: Vec<JoinHandle<Vec<Made>>>,
    }

    impl Compiling {
        pub fn start(gpu: &Gpu, mut jobs: Vec<CompileJob>) -> Self {
            let count = available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(jobs.len());
            jobs.reverse();
            let queue = Arc::new(Mutex::new(jobs));
            let work = || {
                let (queue, gpu) = (queue.clone(), gpu.clone());
                spawn(move || {
                    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let make = |CompileJob { name, layout, wgsl }| {
                        let pipeline = make_pipeline(&gpu, name, &layout, &wgsl);
                        (wgsl, pipeline)
                    };
                    std::iter::from_fn(next).map(make).collect()
                })
            };
            let threads = (0..count).map(|_| work()).collect();
            Self { queue, threads }
        }

        /// The pipelines, each with its WGSL.
        pub async fn finish(mut self) -> Result<Vec<Made>> {
            let mut made = Vec::new();
            for thread in self.threads.drain(..) {
                let panicked = |_| Error::Gpu { problem: "the driver failed while it compiled a kernel".into() };
                made.extend(thread.join().map_err(panicked)?);
            }
            Ok(made)
        }
    }

    impl Drop for Compiling {
        fn drop(&mut self) {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use super::{CompileJob, Error, Result};
    use crate::browser::BackgroundCompiler;
    use crate::gpu::device::Gpu;
    use crate::gpu::resources::pipelines::{make_module, pipeline_of};

    /// Pipelines that are being compiled.
    pub struct Compiling {
        gpu: Gpu,
        background: Option<BackgroundCompiler>,
        jobs: Vec<(CompileJob, wgpu::ShaderModule, wgpu::PipelineLayout)>,
    }

    impl Compiling {
        pub fn start(gpu: &Gpu, jobs: Vec<CompileJob>) -> Self {
            let background = gpu.device.as_webgpu().map(|device| BackgroundCompiler::new(&*device));
            let start = |job: CompileJob| {
                let (module, layout) = make_module(gpu, job.name, &job.layout, &job.wgsl);
                // This only starts the compilation.
                let _ = pipeline_of(&gpu.device, job.name, &module, &layout);
                (job, module, layout)
            };
            let jobs = jobs.into_iter().map(start).collect();
            Self { gpu: gpu.clone(), background, jobs }
        }

        /// The pipelines, each with its WGSL.
        pub async fn finish(self) -> Result<Vec<(String, wgpu::ComputePipeline)>> {
            if let Some(background) = &self.background {
                background.finished().await.map_err(|problem| Error::Gpu { problem })?;
            }
            let take = |(CompileJob { name, wgsl, .. }, module, layout): (CompileJob, _, _)| {
                let pipeline = pipeline_of(&self.gpu.device, name, &module, &layout);
                (wgsl, pipeline)
            };
            Ok(self.jobs.into_iter().map(take).collect())
        }
    }
}
