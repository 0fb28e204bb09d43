//! The model: what a GGUF file says of it, its weights' names, its state, and the plan of its forward pass.
//! Nothing here reads bytes or knows a device.

mod config;
mod forward;
mod plan;
mod random;
mod slice;
mod state;
mod tensors;
mod weights;

pub use config::Config;
pub use forward::record;
pub use plan::{Buffer, BufferId, Plan, Rows, Step, WeightId};
pub use random::random_values;
pub use slice::{Part, Slice};
pub use state::State;
pub use tensors::{TensorKind, TensorSpec, tensors};
pub use weights::{LayerWeights, Weight, Weights};
