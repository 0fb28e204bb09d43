//! The device: the choice of an adapter, what it grants, waiting for it, and how long it takes. Knows no kernel.

mod adapter;
mod gpu;
mod timing;
mod waiting;

pub use gpu::{Gpu, GpuOptions, Granted};
