//! The CPU executor: reference kernels with f32 activations that everything else is held to, and fast ones with 8-bit
//! activations, written once over every instruction set.

pub mod calibrate;
mod chunk;
mod exact;
mod executor;
mod fast;
pub mod kernels;
pub mod lanes;
mod matrix;
mod pool;
mod quantised;
pub mod rank;
pub mod simd;
pub mod tensor_parallel;
mod tiles;
pub mod vectorised;

pub use executor::CpuExecutor;
pub use matrix::Matrix;
pub use quantised::{ActUnit, Quantised};
pub use tiles::Tiles;
