//! The GPU executor: a plan's steps as WGSL kernels, through wgpu. No other part of the crate knows wgpu.
//!
//! Rooms, each of which uses only those before it: `device`, `kernels`, `resources`, `lowering`, `run`; then `executor`, which
//! puts them together, and `tools`, which look at it. `shaders` has the WGSL.

mod device;
mod executor;
mod kernels;
mod lowering;
mod resources;
mod run;
mod tools;

pub use device::{Gpu, GpuOptions, Granted};
pub use executor::GpuExecutor;
pub use kernels::{
    DecodeScan, KERNELS, Kernel, LaneGroups, Layout, PrefillScan, SAMPLING_KERNELS, Tile, Variant, WkvScan, compose,
    compose_group, compose_sampling, unit_source,
};
pub use tools::{Difference, first_difference, not_compared, self_test};
