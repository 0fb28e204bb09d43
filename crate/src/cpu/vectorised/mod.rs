//! The fast kernels, each written once over any instruction set: twins of those of the same name in [`super::kernels`].
//!
//! Each works on a part of the rows or channels, so that parts can run side by side; which parts there are changes no result.

pub mod conv;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod scan;
mod shared;

pub use shared::Shared;
