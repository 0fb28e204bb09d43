//! A snapshot: a model's state at one point, with the tokens that led to it, as a value that can be kept in a
//! file, restored, and continued any number of times.

mod numbers;
mod read;
mod tuned;
mod write;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fingerprint::{BeginningHash, ModelHash};
use crate::model::{Network, State};
use crate::sampler::SamplerState;
use crate::tokenizer::ChatMessage;

pub use tuned::TunedOrder;
pub use write::Numbers;

/// The first bytes of a state file. The first is no letter and the last a line's end, so that a transfer as text is noticed.
const MAGIC: [u8; 8] = *b"\x93MSTATE\n";
const VERSION: u32 = 2;
/// Bytes before the shape. All fields are little-endian:
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | magic |
/// | 4 | version, 2 |
/// | 4 | numbers: 0 for f32, 1 for f16 |
/// | 8 | length of the file |
/// | 16 | [`ModelHash`] |
/// | 4 | tokens in the vocabulary |
/// | 4 | bytes of the shape |
/// | 4 | bytes of the notes |
/// | 8 | tokens, which is the position |
///
/// There follow the shape (JSON: `architecture`, and `tensors`, each as name, rows and columns), the tokens (4 bytes each), the
/// notes (JSON: `pending`, `sampler`, `messages`, `beginning`), the tensors of the state in the shape's order, row by row, and XXH3-128 of
/// everything before (16 bytes). In f16 a tensor's numbers follow an f32, the power of two that they were divided by.
///
/// The first version knew Mamba alone: in place of the vocabulary and the bytes of the shape it had n_layers, d_inner, d_conv,
/// d_state and the vocabulary, no shape, and the tensors in another order, `conv` of every layer before `ssm` of every layer.
const HEADER_BYTES: usize = 60;
const CHECKSUM_BYTES: usize = 16;
/// The subject of [`Error::NotFinite`] for states.
const A_NUMBER_OF_THE_STATE: &str = "a number of the model's state";
/// Notes hold a conversation at the most.
const MAX_NOTES_BYTES: u32 = 64 << 20;
/// Some thousand tensors.
const MAX_SHAPE_BYTES: u32 = 1 << 20;

/// What a state depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateShape {
    /// `general.architecture` of the model.
    pub architecture: String,
    /// Its state: name, rows and columns of each tensor.
    pub tensors: Vec<(String, usize, usize)>,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
}

impl StateShape {
    /// That of a model.
    pub fn new(network: &Network) -> Self {
        let architecture = network.architecture.name().to_owned();
        let tensors = network.state.iter().map(|tensor| (tensor.name.clone(), tensor.rows, tensor.columns)).collect();
        Self { architecture, tensors, vocab_size: network.vocab_size }
    }
}

/// A [`StateShape`] in a file.
#[derive(Debug, Serialize, Deserialize)]
struct ShapeNotes {
    architecture: String,
    tensors: Vec<(String, u32, u32)>,
}

/// What a file says beside its numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Notes {
    pending: Option<u32>,
    sampler: Option<SamplerState>,
    messages: Vec<ChatMessage>,
    /// [`Snapshot::beginning`] after the first token; before it, the numbers say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    beginning: Option<String>,
}

/// A model's memory at one point. Clones share the numbers, and restoring one changes none: to fork is to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The model that it belongs to.
    pub model: ModelHash,
    /// What it is of that model.
    pub shape: Rc<StateShape>,
    /// What the model began from before it read the tokens: `None` for zeros. Without tokens that is the state itself.
    pub beginning: Option<BeginningHash>,
    /// The numbers.
    pub state: Rc<State>,
    /// Every token that was read, oldest first.
    pub tokens: Rc<[u32]>,
    /// A token that was sampled and given out, and not read yet.
    pub pending: Option<u32>,
    /// The sampler of an interrupted completion.
    pub sampler: Option<SamplerState>,
    /// The conversation that the tokens are of, where it was set.
    pub messages: Vec<ChatMessage>,
}

impl Snapshot {
    /// Tokens read.
    pub fn position(&self) -> usize {
        self.tokens.len()
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        4 * (self.state.floats() + self.tokens.len())
    }

    /// As a file; see `Numbers` for what f16 loses.
    ///
    /// # Errors
    /// [`Error::StateDamaged`] where tokens or messages are more than a file holds, [`Error::NotFinite`] for a state that is not finite.
    pub fn to_bytes(&self, numbers: Numbers) -> Result<Vec<u8>> {
        write::to_bytes(self, numbers)
    }

    /// Reads a file. No memory is allocated for bytes that the file does not have.
    ///
    /// # Errors
    /// [`Error::NotState`], [`Error::StateVersion`], [`Error::StateDamaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        read::from_bytes(bytes)
    }

    /// Refuses a snapshot of another model, one that is not finite, and one without tokens whose beginning is not its state.
    ///
    /// # Errors
    /// [`Error::StateModel`], [`Error::StateShape`], [`Error::NotFinite`] or [`Error::StateDamaged`].
    pub fn check(&self, model: &ModelHash, network: &Network) -> Result<()> {
        if self.model != *model || *self.shape != StateShape::new(network) {
            return Err(Error::StateModel { expected: model.to_string(), found: self.model.to_string() });
        }
        self.state.check(network)?;
        if !self.state.is_finite() {
            return Err(Error::NotFinite { what: A_NUMBER_OF_THE_STATE.into() });
        }
        if self.tokens.is_empty() && self.beginning != BeginningHash::of(&self.state) {
            return Err(Error::StateDamaged {
                problem: "its beginning is not its state before the first token".into(),
            });
        }
        Ok(())
    }
}
