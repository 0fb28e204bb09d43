//! The GPU executor: the plan's kernels in WGSL, through wgpu. The only place that knows wgpu.

mod bandwidth;
mod choosing;
mod chunk_tokens;
mod compare;
mod compiling;
mod device;
mod drafts;
mod executor;
mod kernels;
mod limits;
mod params;
mod pipelines;
mod profile;
mod sampling;
mod self_test;
mod shape;
mod slots;
mod stages;
mod storage;
mod submission;
mod timing;
mod units;
mod waiting;
mod weights;

pub use compare::{Difference, first_difference};
pub use device::{Gpu, GpuOptions, Granted};
pub use executor::GpuExecutor;
pub use kernels::{KERNELS, Kernel, SAMPLING_KERNELS, Variant, compose, compose_sampling};
pub use self_test::self_test;
pub use shape::{DecodeScan, Scan, Team, Tile};
pub use units::unit_source;
