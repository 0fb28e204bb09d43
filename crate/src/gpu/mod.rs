//! The GPU executor: the plan's kernels in WGSL, through wgpu. The only place that knows wgpu.

mod compare;
mod device;
mod dispatch;
mod executor;
mod kernels;
mod params;
mod pipelines;
mod units;
mod weights;

pub use compare::{Difference, first_difference};
pub use device::{Gpu, GpuOptions};
pub use executor::GpuExecutor;
pub use kernels::{Dot, KERNELS, Kernel, Variant, compose};
pub use units::unit_source;
