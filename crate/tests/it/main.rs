//! Every test of the crate from outside: one program, because each links the whole engine. `cargo test --test it states::` runs one file.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[cfg(feature = "gpu")]
mod architecture;
mod chat_rwkv;
mod cli;
mod constraint;
mod cpu_columns;
mod cpu_executor;
mod cpu_kernels;
mod cpu_math;
mod cpu_tensor_parallel;
mod drift;
mod examples;
mod fit;
mod fuzz;
mod generate;
mod gguf_hostile;
mod gguf_reading;
mod golden_bits;
#[cfg(feature = "gpu")]
mod golden_logits;
#[cfg(feature = "gpu")]
mod gpu_decode;
#[cfg(feature = "gpu")]
mod gpu_generate;
#[cfg(feature = "gpu")]
mod gpu_kernels;
#[cfg(feature = "gpu")]
mod gpu_tiles;
mod load_order;
mod make_random;
mod not_finite;
mod perplexity;
mod quant_golden;
mod rwkv7;
mod scheduler;
mod scores;
#[cfg(feature = "gpu")]
mod self_test;
mod shared_text;
mod state_files;
mod state_record;
mod states;
mod tokenizer;
mod tokenizer_chat;
mod tokenizer_hostile;
mod tokenizer_rwkv;
mod tokenizer_templates;
mod tokenizer_tools;
mod toy;
mod tuned_states;
#[cfg(feature = "gpu")]
mod wgsl_kernels;
