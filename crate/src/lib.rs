//! Runs language models from GGUF files, on a GPU through WebGPU, Vulkan, Metal or DX12, or on the CPU; natively and, as
//! wasm, in a web page.
//!
//! Its models ([`low_level::model`] has a file for each architecture) have no attention and no cache that
//! grows: a token costs the same time and memory at any position, and all that a model remembers of a text is a state of a fixed
//! number of floats, which can be saved, restored and shared.
//!
//! # A model and a completion
//!
//! A [`Model`] is loaded from [`ByteSource`]s, which read ranges of bytes, so a file is never in memory as a whole. A [`Generation`]
//! makes a completion: it has no reference to the model, and is given it for each event. Everything that may wait is a future of one
//! thread, and runs on any runtime.
//!
//! ```
//! use std::rc::Rc;
//! use web_mamba::{BackendChoice, Event, FileSource, GenerateOptions, Generation, LoadOptions, Model, Prompt};
//!
//! # fn main() -> web_mamba::Result<()> { pollster::block_on(async {
//! let path = std::path::Path::new("../tests/golden/models/falcon-tiny-Q4_K_M.gguf");
//! let file = Rc::new(FileSource::open(path)?);
//! let options = LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() };
//! let mut model = Model::load(vec![file], &options, &mut |_done, _total| {}).await?;
//!
//! // Random weights write no words; a conversation is `Prompt::Chat(vec![ChatMessage { .. }])`.
//! let prompt = Prompt::Text("The state of a model".into());
//! let options = GenerateOptions { max_tokens: 5, ignore_eos: true, ..GenerateOptions::default() };
//! let mut generation = Generation::new(&model, &prompt, options)?;
//! let mut written = 0;
//! while let Some(event) = generation.next(&mut model).await? {
//!     match event {
//!         Event::Prefill { done, total } => println!("{done} of {total} tokens read"),
//!         Event::Token { text, .. } => { print!("{text}"); written += 1 }
//!         Event::End { stop, decode_tps, .. } => println!("\n{stop:?}, {decode_tps:.0} tokens/s"),
//!     }
//! }
//! assert_eq!(written, 5);
//!
//! // What was read and written, as a value: `to_bytes` makes a file of it, and `restore_state` takes a model back to it.
//! let state = model.save_state().await?;
//! let file = state.to_bytes(web_mamba::Numbers::F32)?;
//! assert_eq!(web_mamba::Snapshot::from_bytes(&file)?.tokens, state.tokens);
//! # Ok(()) }) }
//! ```
//!
//! `crate/examples` has a chat, a state that is continued twice, and a batch.
//!
//! # What else there is
//!
//! | | |
//! |---|---|
//! | [`Generation::batch`] | several completions as a batch, which reads the weights once for a token of each |
//! | [`Model::save_state`], [`Snapshot`], [`checkpoints`] | states, as values, as files, and kept for prompts that begin alike |
//! | [`Model::open_state`], [`Model::begin_from`] | states that other programs tuned for RWKV-7, which texts begin from in place of zeros |
//! | [`Model::score`], [`Model::perplexity`] | how likely a text is to the model |
//! | [`Model::embed`] | a text as one vector: the mean of its hidden states, or the last |
//! | [`Model::reload`] | the same completion goes on after a lost device ([`Error::DeviceLost`]) |
//! | [`fit::plan`] | whether a model fits this device, by the first bytes of its file |
//! | [`measure::bench`] | tokens/s beside the bound that the memory's bandwidth sets |
//! | [`tokenizer`] | the file's vocabulary and its chat template |
//! | [`low_level`] | executors, kernels, files and plans, for tests, benchmarks and tools |
//!
//! # Errors
//!
//! Every call that can fail gives an [`Error`], whose variants have the data, whose [`Error::code`] is stable, and whose
//! [`Error::remedy`] says what to do. No file, prompt or option makes the library panic.
//!
//! # Features
//!
//! `gpu` (by default) is the WebGPU executor, `cli` the native tool.

#[cfg(target_arch = "wasm32")]
mod browser;
pub mod checkpoints;
pub mod constraint;
#[doc(hidden)]
pub mod cpu;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod executor;
#[doc(hidden)]
pub mod fingerprint;
pub mod fit;
#[doc(hidden)]
pub mod generate;
#[doc(hidden)]
pub mod gguf;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod gpu;
#[doc(hidden)]
pub mod instruments;
pub mod measure;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod pause;
#[doc(hidden)]
pub mod quant;
#[doc(hidden)]
pub mod sampler;
#[doc(hidden)]
pub mod snapshot;
#[doc(hidden)]
pub mod source;
mod stop;
pub mod synthetic;
pub mod tokenizer;
#[cfg(target_arch = "wasm32")]
mod web;

pub use constraint::{Allowed, Constraint, TokenMask};
pub use engine::{BackendChoice, LoadOptions, Model, ModelInfo};
pub use engine::{EmbedOptions, Pooling};
pub use error::{Error, Result};
pub use executor::Activations;
pub use generate::{Event, GenerateOptions, Generation, LikelyToken, Prompt, SequenceEvent, StopReason, TokenLogprobs};
#[cfg(feature = "gpu")]
pub use gpu::GpuOptions;
pub use sampler::{Logprob, SamplerOptions};
pub use snapshot::{Numbers, Snapshot, TunedOrder};
#[cfg(not(target_arch = "wasm32"))]
pub use source::FileSource;
pub use source::{ByteSource, MemorySource};
pub use tokenizer::{ChatMessage, ChatOptions, Thinking, ToolCall, ToolFormat, Tools};

/// What the library is made of, for tests, benchmarks and tools: files, plans, executors and kernels. These change with any
/// version.
pub mod low_level {
    #[cfg(feature = "gpu")]
    #[doc(inline)]
    pub use crate::gpu;
    #[doc(inline)]
    pub use crate::{cpu, executor, fingerprint, gguf, instruments, model, pause, quant, sampler};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
