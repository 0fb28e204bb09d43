//! What lies on the device: weights, buffers, states in their slots, pipelines; and what a model takes of it. Knows a plan's
//! buffers, but not how its steps run.

mod activations;
mod bound;
mod compiling;
mod groups;
mod layouts;
mod pipelines;
mod requirements;
mod slots;
mod storage;
mod weights;

pub use activations::rounding;
pub use bound::Bound;
pub use compiling::Compiling;
pub use groups::{Group, Groups, hands_on, is_read_only_by};
pub use layouts::{Written, written_by};
pub use pipelines::{Pipelines, Program, make_pipeline};
pub use requirements::{
    MAX_CHUNK_TOKENS, MAX_OUTPUTS, MAX_STEPS_AHEAD, largest_binding, memory_needed, refusal, steps_ahead,
};
pub use slots::Slots;
pub use storage::{Storage, planes};
pub use weights::{DeviceWeight, Shard, allocate, upload};
