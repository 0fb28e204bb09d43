//! Those files of `it` that test the CPU kernels, alone: scripts/test-aarch64 compiles and runs them for an emulator, where each minute counts.
#![allow(missing_docs, dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/cpu_executor.rs"]
mod cpu_executor;
#[path = "it/cpu_kernels.rs"]
mod cpu_kernels;
#[path = "it/cpu_math.rs"]
mod cpu_math;
#[path = "it/golden_bits.rs"]
mod golden_bits;
#[path = "it/support/mod.rs"]
mod support;
