//! The CPU executor: scalar kernels with f32 activations, the reference that every faster kernel is held to.

mod executor;
pub mod kernels;
mod matrix;

pub use executor::CpuExecutor;
pub use matrix::Matrix;
