//! What a model takes on a device: memory in all, and the largest storage binding, which decides whether a device can hold it
//! at all. Everything follows from the model's lists and the capacities below.

use super::activations::row_words;
use super::slots::Slots;
use super::storage::packs;
use super::weights::{device_bytes, least_binding};
use crate::error::Error;
use crate::executor::{Activations, MAX_SEQUENCES, Memory};
use crate::model::{Network, Rows, Weights};

/// The most tokens of a chunk.
pub const MAX_CHUNK_TOKENS: usize = 512;

/// The most tokens whose logits one submission gives.
pub const MAX_OUTPUTS: usize = MAX_SEQUENCES;

/// Steps that run ahead of the host where states are small enough to keep that many: a short step needs several to hide the
/// time in which an id is read back.
pub const MAX_STEPS_AHEAD: usize = 3;

/// Bytes that the states kept for rolling back may take beyond the one that a chunk needs in any case.
const AHEAD_BYTES: usize = 64 << 20;

/// How many steps run ahead for one sequence, by the bytes of a state.
pub fn steps_ahead(state_bytes: usize) -> usize {
    (1 + AHEAD_BYTES / state_bytes.max(1)).min(MAX_STEPS_AHEAD)
}

/// Slots of the states of a model that has just been loaded.
fn slots(network: &Network) -> usize {
    Slots::new(1, steps_ahead(network.state_bytes())).count()
}

/// Bytes that a model takes on a device, before anything is loaded.
pub fn memory_needed(network: &Network, weights: &Weights) -> Memory {
    Memory {
        weights: weights.all().iter().map(device_bytes).sum(),
        ..Memory::needed(network, weights, MAX_CHUNK_TOKENS, MAX_OUTPUTS, slots(network))
    }
}

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
            Rows::Tokens => MAX_CHUNK_TOKENS,
            Rows::Outputs => MAX_OUTPUTS,
        };
        piece(format!("the buffer {}", buffer.name), 4 * rows * buffer.width.max(row_words(activations, buffer.width)))
    });
    let packs = packs(network).map(|floats| piece("vectors of a layer".into(), 4 * floats));
    let slots = slots(network);
    let states = network.state.iter().map(|tensor| piece("a state".into(), 4 * slots * tensor.floats()));
    let pieces = tensors.chain(buffers).chain(packs).chain(states);
    pieces.max_by_key(|piece| piece.bytes).unwrap_or(Piece { name: "nothing".into(), bytes: 0 })
}

/// The smallest storage binding with which a model can run, in bytes.
pub fn largest_binding(network: &Network, weights: &Weights) -> u64 {
    largest(network, weights, Activations::F32).bytes
}

/// Why a device whose bindings hold `max_binding_bytes` cannot hold a model, where it cannot.
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
