//! Running a loaded model: batches, submissions, the states of sequences, sampling on the device and running ahead of the host,
//! and how many tokens a chunk has.

mod chunk_tokens;
mod hidden;
mod model;
mod run_ahead;
mod runner;
mod sampling;
mod sequences;

pub use chunk_tokens::ChunkTokens;
pub use hidden::hidden_states;
pub use model::LoadedModel;
pub use run_ahead::{FEW_TOKENS, RunAhead};
pub use runner::Runner;
pub use sequences::Sequences;
