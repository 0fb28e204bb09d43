//! Pipelines made while weights are read: natively on threads, in a page by the browser.

use crate::error::{Error, Result};

pub use platform::Compiling;

/// A pipeline to be made.
pub struct Order {
    /// The kernel's name.
    pub name: &'static str,
    pub layout: wgpu::BindGroupLayout,
    pub wgsl: String,
}

#[cfg(not(target_arch = "wasm32"))]
mod platform {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread::{JoinHandle, available_parallelism, spawn};

    use super::{Error, Order, Result};
    use crate::gpu::Gpu;
    use crate::gpu::pipelines::make_pipeline;

    /// More would find nothing to do: a model has some ten pipelines.
    const MOST_THREADS: usize = 8;

    type Made = (String, wgpu::ComputePipeline);

    /// Pipelines in the making. Where it is dropped, its threads end with what they were making.
    pub struct Compiling {
        left: Arc<Mutex<Vec<Order>>>,
        threads: Vec<JoinHandle<Vec<Made>>>,
    }

    impl Compiling {
        pub fn start(gpu: &Gpu, mut orders: Vec<Order>) -> Self {
            let count = available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(orders.len());
            orders.reverse();
            let left = Arc::new(Mutex::new(orders));
            let work = || {
                let (left, gpu) = (left.clone(), gpu.clone());
                spawn(move || {
                    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let make = |Order { name, layout, wgsl }| {
                        let pipeline = make_pipeline(&gpu, name, &layout, &wgsl);
                        (wgsl, pipeline)
                    };
                    std::iter::from_fn(next).map(make).collect()
                })
            };
            let threads = (0..count).map(|_| work()).collect();
            Self { left, threads }
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
            self.left.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use super::{Error, Order, Result};
    use crate::browser::BackgroundCompiler;
    use crate::gpu::Gpu;
    use crate::gpu::pipelines::{make_module, pipeline_of};

    /// Pipelines in the making.
    pub struct Compiling {
        gpu: Gpu,
        background: Option<BackgroundCompiler>,
        orders: Vec<(Order, wgpu::ShaderModule, wgpu::PipelineLayout)>,
    }

    impl Compiling {
        pub fn start(gpu: &Gpu, orders: Vec<Order>) -> Self {
            let background = gpu.device.as_webgpu().map(|device| BackgroundCompiler::new(&*device));
            let start = |order: Order| {
                let (module, layout) = make_module(gpu, order.name, &order.layout, &order.wgsl);
                // What it gives is no pipeline yet.
                let _ = pipeline_of(&gpu.device, order.name, &module, &layout);
                (order, module, layout)
            };
            let orders = orders.into_iter().map(start).collect();
            Self { gpu: gpu.clone(), background, orders }
        }

        /// The pipelines, each with its WGSL.
        pub async fn finish(self) -> Result<Vec<(String, wgpu::ComputePipeline)>> {
            if let Some(background) = &self.background {
                background.finished().await.map_err(|problem| Error::Gpu { problem })?;
            }
            let take = |(Order { name, wgsl, .. }, module, layout): (Order, _, _)| {
                let pipeline = pipeline_of(&self.gpu.device, name, &module, &layout);
                (wgsl, pipeline)
            };
            Ok(self.orders.into_iter().map(take).collect())
        }
    }
}
