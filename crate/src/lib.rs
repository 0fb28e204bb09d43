//! Mamba and Falcon-Mamba language models from GGUF files, on WebGPU or on the CPU.

#[cfg(target_arch = "wasm32")]
mod browser;
pub mod checkpoints;
pub mod cpu;
pub mod engine;
pub mod error;
pub mod executor;
pub mod fingerprint;
pub mod fit;
pub mod generate;
pub mod gguf;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod instruments;
pub mod measure;
pub mod model;
pub mod pause;
pub mod quant;
pub mod sampler;
pub mod snapshot;
pub mod source;
mod stop;
pub mod synthetic;
pub mod tokenizer;
#[cfg(target_arch = "wasm32")]
mod web;

pub use error::{Error, Result};
