//! The GPU executor: the plan's kernels in WGSL, through wgpu. The only place that knows wgpu.

mod compare;
mod device;
mod dispatch;
mod executor;
mod kernels;
mod params;
mod pipelines;
// Used by its tests alone until an executor samples.
#[cfg_attr(not(test), allow(dead_code))]
mod sampling;
mod weights;

pub use compare::{Difference, first_difference};
pub use device::{Gpu, GpuOptions};
pub use executor::GpuExecutor;
pub use kernels::{Dot, KERNELS, Kernel, SAMPLING_KERNELS, Variant, compose, compose_sampling};
