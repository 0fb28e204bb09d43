//! The fast kernels, each written once over any instruction set: twins of those of the same name in [`super::kernels`].
//!
//! Each works on a part of the rows or channels, which a [`ColumnsMut`] has for itself, so that parts can run side by side; which parts
//! there are changes no result.

mod columns;
pub mod conv;
pub mod elementwise;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod scan;
pub mod wkv7;

pub use columns::ColumnsMut;
