//! Generation: from a prompt to a stream of token events, cancellable between tokens.

mod completion;
mod constrained;
mod generation;
mod likely;
mod shared_prefix;

use serde::{Deserialize, Serialize};

use crate::engine::Model;
use crate::error::Result;
use crate::sampler::{Logprob, SamplerOptions};
use crate::tokenizer::{ChatMessage, ChatOptions, Thinking, Tools};

pub use generation::Generation;

/// What is read before the first token is sampled.
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
    /// Its token ids.
    ///
    /// # Errors
    /// `ChatTemplate`, `NoTools`, `EmptyPrompt` without messages, or `Vocabulary` of [`crate::Error`].
    pub fn tokens(&self, model: &Model) -> Result<Vec<u32>> {
        self.tokens_with(model, &ChatOptions::default())
    }

    /// Its token ids, with or without a thought before the answer, and with tools. A text and tokens are what they are.
    ///
    /// # Errors
    /// As of [`Prompt::tokens`].
    pub fn tokens_with(&self, model: &Model, options: &ChatOptions) -> Result<Vec<u32>> {
        completion::encode(model, self, options)
    }
}

/// Options of a generation. All fields have defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateOptions {
    /// How tokens are sampled.
    #[serde(flatten)]
    pub sampler: SamplerOptions,
    /// The most tokens of a completion.
    pub max_tokens: usize,
    /// Stop strings: each ends the completion and is not part of it.
    pub stop: Vec<String>,
    /// Tokens that end the completion, besides the model's own end tokens; they are not part of it.
    pub stop_tokens: Vec<u32>,
    /// Continue past the model's own end tokens.
    pub ignore_eos: bool,
    /// Whether the model thinks before it answers a conversation. A prompt of text or tokens says so itself.
    pub thinking: Thinking,
    /// What the model may call in its answer to a conversation (see [`ChatTemplate::tool_format`]).
    ///
    /// [`ChatTemplate::tool_format`]: crate::tokenizer::ChatTemplate::tool_format
    pub tools: Tools,
    /// Begin at the longest prefix of the prompt that a checkpoint or the model's present state has, and keep checkpoints
    /// (see [`crate::checkpoints`]). Without it the whole prompt is read from a fresh state.
    pub reuse: bool,
    /// Read the prompt after what the model has read already, and after the last token that an interrupted completion sampled. With
    /// an empty prompt such a completion continues exactly as it would have, with its own sampler.
    pub resume: bool,
    /// Report the log-probability of each token, and of so many of the likeliest, at most 20 (see [`TokenLogprobs`]). `None` reports
    /// none. A GPU gives each step's logits back for it, and runs no step ahead.
    pub logprobs: Option<usize>,
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
            thinking: Thinking::default(),
            tools: Tools::default(),
            reuse: true,
            resume: false,
            logprobs: None,
            keep_after: None,
        }
    }
}

impl GenerateOptions {
    /// How a conversation is rendered.
    pub fn chat(&self) -> ChatOptions {
        ChatOptions { thinking: self.thinking, tools: self.tools.clone() }
    }
}

/// How likely a sampled token was, and what else: by the model's own logits over the whole vocabulary, before a bias, penalties,
/// filters and temperature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprobs {
    /// The token that was sampled.
    #[serde(flatten)]
    pub token: LikelyToken,
    /// The likeliest tokens, likeliest first: [`GenerateOptions::logprobs`] of them.
    pub top: Vec<LikelyToken>,
}

/// A token and its log-probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikelyToken {
    /// Its id and the natural logarithm of its probability.
    #[serde(flatten)]
    pub logprob: Logprob,
    /// What it decodes to by itself; U+FFFD where it has a part of a character.
    pub text: String,
    /// The bytes of it; empty without a vocabulary.
    pub bytes: Vec<u8>,
}

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The model ended it: by an end token, or as its chat format says (see [`Tokenizer::answer_start`]).
    ///
    /// [`Tokenizer::answer_start`]: crate::tokenizer::Tokenizer::answer_start
    Eos,
    /// It has `max_tokens` tokens.
    Length,
    /// One of the `stop` texts was written.
    StopString,
    /// One of the `stop_tokens` was written.
    StopToken,
    /// The switch of [`Generation::cancelled`] was set.
    Cancelled,
}

/// An event of the completion of one prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SequenceEvent {
    /// The index of the prompt.
    pub index: usize,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// An event of a completion.
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
    /// A token was sampled.
    Token {
        /// Its id.
        id: u32,
        /// The text that it completes: may be empty, while characters or stop strings are incomplete. That of the first begins
        /// with the opening of a thought, `<think>`, if the prompt ends with one.
        text: String,
        /// Time since the event before, in milliseconds.
        milliseconds: f64,
        /// With [`GenerateOptions::logprobs`].
        #[serde(skip_serializing_if = "Option::is_none")]
        logprobs: Option<Box<TokenLogprobs>>,
    },
    /// The last event.
    End {
        /// Text that was held back and turned out to belong to the completion.
        text: String,
        /// Why.
        stop: StopReason,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens that were read before the first was sampled: those of the prompt that no checkpoint had. After a lost device,
        /// also those that were read again.
        prefilled_tokens: usize,
        /// Tokens of the completion.
        tokens: usize,
        /// The seed of its sampler: the same call with this seed gives the same completion.
        #[serde(serialize_with = "exactly")]
        seed: u64,
        /// Prefill speed in tokens per second.
        prefill_tps: f64,
        /// Decode speed in tokens per second, without the first token.
        decode_tps: f64,
    },
}

/// JavaScript's numbers are exact up to 2^53: a larger seed becomes a `bigint` there.
fn exactly<S: serde::Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match *seed {
        small @ ..=0x1f_ffff_ffff_ffff => serializer.serialize_u64(small),
        large => serializer.serialize_u128(large.into()),
    }
}
