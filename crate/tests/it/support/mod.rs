//! What several tests share.
#![cfg_attr(not(feature = "gpu"), allow(dead_code))]

pub mod batches;
pub mod chain_model;
pub mod counting_source;
pub mod gguf_writer;
pub mod golden;
pub mod local_workers;
pub mod memory;
pub mod random_model;
pub mod runs;
pub mod rust_source;
pub mod torch_file;
#[cfg(feature = "gpu")]
pub mod unit_shader;
pub mod vocab;

/// Whether the heavier rounds run (`scripts/test --all`). A GPU in software takes minutes for what a processor does in seconds: else it has
/// each kernel, type and size once, and not each with each.
pub fn every_round() -> bool {
    std::env::var_os("WEB_MAMBA_ALL").is_some()
}

/// One of `every` in an emulator, which takes a minute for a second's work; all of them elsewhere, and where the heavier rounds run.
pub fn emulated_stride(every: usize) -> usize {
    if cfg!(target_arch = "aarch64") && !every_round() { every } else { 1 }
}
