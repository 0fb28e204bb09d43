//! The model: what a GGUF file says of it, its weights' names, its state, and the plan of its forward pass.
//! Nothing here reads bytes or knows a device. What an architecture is stands in `arch` alone, a file each.

pub mod arch;
mod file;
mod network;
mod plan;
mod random;
mod slice;
mod state;
mod weights;

pub use file::ModelFile;
pub use network::{Axis, AxisId, Cut, Init, Network, StateSpec, TensorSpec};
pub use plan::{Buffer, BufferId, Function, Op, Operands, Plan, Recorder, Rows, StateId, Step, WeightId};
pub use random::random_values;
pub use slice::{Slice, WeightSlice};
pub use state::State;
pub use weights::{Weight, Weights};
