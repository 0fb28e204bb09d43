//! A snapshot: what a model remembers at one point, with the tokens that brought it there, as a value that can be kept in a
//! file, restored, and continued any number of times.

mod numbers;
mod read;
mod write;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fingerprint::ModelHash;
use crate::model::{Config, State};
use crate::sampler::SamplerState;
use crate::tokenizer::ChatMessage;

pub use write::Numbers;

/// The first bytes of a state file. The first is no letter and the last a line's end, so that a transfer as text is noticed.
const MAGIC: [u8; 8] = *b"\x93MSTATE\n";
const VERSION: u32 = 1;
/// Bytes before the tokens. All fields are little-endian:
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | magic |
/// | 4 | version, 1 |
/// | 4 | numbers: 0 for f32, 1 for f16 |
/// | 8 | length of the file |
/// | 16 | [`ModelHash`] |
/// | 5 x 4 | n_layers, d_inner, d_conv, d_state, vocab_size |
/// | 4 | bytes of the notes |
/// | 8 | tokens, which is the position |
///
/// There follow the tokens (4 bytes each), the notes (JSON: `pending`, `sampler`, `messages`), the convolution state and the SSM
/// state, layer by layer in the order of [`State`], and XXH3-128 of everything before (16 bytes). In f16 a layer's numbers
/// follow an f32, the power of two that they were divided by.
const HEADER_BYTES: usize = 72;
const CHECKSUM_BYTES: usize = 16;
/// What [`Error::NotFinite`] says of states.
const A_NUMBER_OF_THE_STATE: &str = "a number of the model's state";
/// Notes hold a conversation at the most.
const MAX_NOTES_BYTES: u32 = 64 << 20;

/// The sizes that a state depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateShape {
    /// Layers of the model.
    pub n_layers: usize,
    /// Channels of the SSM.
    pub d_inner: usize,
    /// Taps of the convolution.
    pub d_conv: usize,
    /// States of a channel.
    pub d_state: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
}

impl StateShape {
    /// The sizes of a model.
    pub fn new(config: &Config, vocab_size: usize) -> Self {
        let Config { n_layers, d_inner, d_conv, d_state, .. } = *config;
        Self { n_layers, d_inner, d_conv, d_state, vocab_size }
    }

    /// Floats of one layer: of the convolution and of the SSM.
    fn layer_floats(&self) -> [usize; 2] {
        [self.d_inner * self.d_conv.saturating_sub(1), self.d_inner * self.d_state]
    }
}

/// What a file says beside its numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Notes {
    pending: Option<u32>,
    sampler: Option<SamplerState>,
    messages: Vec<ChatMessage>,
}

/// A model's memory at one point. Clones share the numbers, and restoring one changes none: to fork is to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The model that it belongs to.
    pub model: ModelHash,
    /// The sizes of that model.
    pub shape: StateShape,
    /// The numbers.
    pub state: Rc<State>,
    /// Every token that was read, oldest first.
    pub tokens: Rc<[u32]>,
    /// A token that was chosen and given out, and not read yet.
    pub pending: Option<u32>,
    /// How the answer in the making was sampled.
    pub sampler: Option<SamplerState>,
    /// The conversation that the tokens are of, where somebody told.
    pub messages: Vec<ChatMessage>,
}

impl Snapshot {
    /// Tokens read.
    pub fn position(&self) -> usize {
        self.tokens.len()
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        4 * (self.state.conv.len() + self.state.ssm.len() + self.tokens.len())
    }

    /// As a file; see `Numbers` for what f16 loses.
    ///
    /// # Errors
    /// [`Error::StateDamaged`] where tokens or messages are more than a file holds, [`Error::NotFinite`] for a state of no use.
    pub fn to_bytes(&self, numbers: Numbers) -> Result<Vec<u8>> {
        write::to_bytes(self, numbers)
    }

    /// Reads a file. Whatever it holds, nothing is taken that is not proved to be there.
    ///
    /// # Errors
    /// [`Error::NotState`], [`Error::StateVersion`], [`Error::StateDamaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        read::from_bytes(bytes)
    }

    /// Refuses a snapshot of another model, and one from which nothing follows.
    ///
    /// # Errors
    /// [`Error::StateModel`], [`Error::StateShape`] or [`Error::NotFinite`].
    pub fn check(&self, model: &ModelHash, config: &Config, vocab_size: usize) -> Result<()> {
        if self.model != *model || self.shape != StateShape::new(config, vocab_size) {
            return Err(Error::StateModel { expected: model.to_string(), found: self.model.to_string() });
        }
        self.state.check(config)?;
        match self.state.is_finite() {
            true => Ok(()),
            false => Err(Error::NotFinite { what: A_NUMBER_OF_THE_STATE.into() }),
        }
    }
}
