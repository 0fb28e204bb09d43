//! What must lie in one storage binding, and so decides whether a device can hold a model at all.

use super::GpuExecutor;
use super::choosing::steps_ahead;
use super::chunk_tokens::ChunkTokens;
use super::executor::MAX_OUTPUTS;
use super::slots::Slots;
use super::storage::act_row_words;
use super::weights::least_binding;
use crate::error::Error;
use crate::executor::Activations;
use crate::model::{Network, Rows, Weights};

/// Something that is never split, and its bytes.
struct Piece {
    name: String,
    bytes: u64,
}

/// The largest piece: of weights, of activations, and of states.
fn largest(network: &Network, weights: &Weights, activations: Activations) -> Piece {
    let piece = |name: String, bytes: usize| Piece { name, bytes: bytes as u64 };
    let tensors = weights.all().iter().map(|w| Piece { name: w.tensor.name.clone(), bytes: least_binding(w) });
    let buffers = network.plan.buffers.iter().map(|buffer| {
        let rows = match buffer.rows {
            Rows::Tokens => ChunkTokens::MOST,
            Rows::Outputs => MAX_OUTPUTS,
        };
        piece(
            format!("the buffer {}", buffer.name),
            4 * rows * buffer.width.max(act_row_words(activations, buffer.width)),
        )
    });
    let slots = Slots::new(1, steps_ahead(network.state_bytes())).count();
    let states = network.state.iter().map(|tensor| piece("a state".into(), 4 * slots * tensor.floats()));
    let pieces = tensors.chain(buffers).chain(states);
    pieces.max_by_key(|piece| piece.bytes).unwrap_or(Piece { name: "nothing".into(), bytes: 0 })
}

impl GpuExecutor {
    /// The smallest storage binding with which a model can run, in bytes.
    pub fn largest_binding(network: &Network, weights: &Weights) -> u64 {
        largest(network, weights, Activations::F32).bytes
    }

    /// Why a device with bindings of so many bytes cannot hold a model, where it cannot.
    pub fn refusal(
        network: &Network,
        weights: &Weights,
        activations: Activations,
        max_binding_bytes: u64,
    ) -> Option<Error> {
        let Piece { name, bytes } = largest(network, weights, activations);
        (bytes > max_binding_bytes).then(|| Error::OutOfMemory {
            what: format!("{name} in one storage binding of this GPU"),
            needed: bytes,
            available: Some(max_binding_bytes),
        })
    }
}
