//! Generation: from a prompt to a stream of token events, cancellable between tokens.

mod completion;
mod generation;
mod shared_prefix;

use serde::{Deserialize, Serialize};

use crate::engine::Model;
use crate::error::Result;
use crate::sampler::SamplerOptions;
use crate::tokenizer::ChatMessage;

pub use generation::Generation;

/// What is read before the first word is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Text as it stands; the names of control tokens in it are read as these tokens.
    Text(String),
    /// A conversation, rendered with the model's own template. Names of control tokens in it stay text.
    Chat(Vec<ChatMessage>),
    /// Token ids.
    Tokens(Vec<u32>),
}

impl Prompt {
    /// The ids that it is read as.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`], [`Error::EmptyPrompt`] without messages, or [`Error::Vocabulary`].
    pub fn tokens(&self, model: &Model) -> Result<Vec<u32>> {
        completion::encode(model, self)
    }
}

/// How text is made. All fields have defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateOptions {
    /// How the next token is chosen.
    #[serde(flatten)]
    pub sampler: SamplerOptions,
    /// Tokens to make at the most.
    pub max_tokens: usize,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Tokens that end the answer beside the model's own end tokens; they are not part of it.
    pub stop_tokens: Vec<u32>,
    /// Go on past the model's own end tokens.
    pub ignore_eos: bool,
    /// Begin at the longest start of the prompt that a checkpoint or the model's present state knows, and keep checkpoints on
    /// the way (see [`crate::checkpoints`]). Without it the whole prompt is read from a fresh state.
    pub reuse: bool,
    /// Read the prompt after what the model has read already, and after a token that an interrupted answer chose last. With an
    /// empty prompt such an answer goes on exactly as it would have, with its own sampler.
    pub resume: bool,
    /// A text that the prompt, or one of its messages, contains: a checkpoint is kept where it ends, for other prompts that are
    /// the same up to there. So a document is read once for every question about it. With `reuse` only.
    pub keep_after: Option<String>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            sampler: SamplerOptions::default(),
            max_tokens: 512,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            ignore_eos: false,
            reuse: true,
            resume: false,
            keep_after: None,
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The model wrote an end token.
    Eos,
    /// `max_tokens` were made.
    Length,
    /// One of the `stop` texts was written.
    StopString,
    /// One of the `stop_tokens` was written.
    StopToken,
    /// The switch of [`Generation::cancelled`] was set.
    Cancelled,
}

/// What happens to the completion of one prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SequenceEvent {
    /// The prompt's place among the prompts.
    pub index: usize,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happens on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Some of the prompt has been read.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens in all.
        total: usize,
    },
    /// A token has been made.
    Token {
        /// Its id.
        id: u32,
        /// The text that it completes: may be empty, while characters or stop strings are incomplete.
        text: String,
        /// Time since the event before, in milliseconds.
        milliseconds: f64,
    },
    /// Nothing more comes.
    End {
        /// Text that was held back and turned out to belong to the answer.
        text: String,
        /// Why.
        stop: StopReason,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens that were read before the first was chosen: those of the prompt that no checkpoint knew. Where the device was
        /// lost, also those that were read again.
        prefilled_tokens: usize,
        /// Tokens made.
        tokens: usize,
        /// The seed that its tokens were drawn with: the same call with this seed gives the same answer.
        #[serde(serialize_with = "exactly")]
        seed: u64,
        /// Prefilled tokens read a second.
        prefill_tps: f64,
        /// Tokens made a second, after the first.
        decode_tps: f64,
    },
}

/// JavaScript's numbers are exact up to 2^53: a seed above that is written as what it holds larger ones in.
fn exactly<S: serde::Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match *seed {
        small @ ..=0x1f_ffff_ffff_ffff => serializer.serialize_u64(small),
        large => serializer.serialize_u128(large.into()),
    }
}
