//! Generation: from a prompt to a stream of token events, cancellable between tokens.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::engine::Model;
use crate::error::{Error, Result};
use crate::executor::Outputs;
use crate::sampler::{Sampler, SamplerOptions};
use crate::stop::StopStrings;
use crate::tokenizer::{ChatMessage, DecodeStream, Special};

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
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            sampler: SamplerOptions::default(),
            max_tokens: 512,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            ignore_eos: false,
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
        /// Tokens made.
        tokens: usize,
        /// Prompt tokens read a second.
        prefill_tps: f64,
        /// Tokens made a second, after the first.
        decode_tps: f64,
    },
}

#[derive(Debug)]
enum Phase {
    /// Tokens of the prompt read so far.
    Prefill(usize),
    /// Logits are ready for the next token.
    Sample(Vec<f32>),
    /// A token was given out and not yet read by the model.
    Feed(u32),
    Ended,
}

/// One answer in the making. It borrows nothing: [`Generation::next`] is given the model each time.
pub struct Generation {
    prompt: Vec<u32>,
    options: GenerateOptions,
    sampler: Sampler,
    /// None where the model has no vocabulary: then only ids are given.
    text: Option<DecodeStream>,
    stops: StopStrings,
    phase: Phase,
    cancelled: Rc<Cell<bool>>,
    /// Which reading of the model's state is ours; see [`Model::begin`].
    epoch: Option<u64>,
    tokens: usize,
    prefill_time: Duration,
    decode_time: Duration,
    last_event: Instant,
}

impl Generation {
    /// Prepares an answer; the model runs only when events are asked for.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`], [`Error::InvalidOption`], [`Error::ChatTemplate`], or
    /// [`Error::Vocabulary`] where a text is given to a model without a vocabulary.
    pub fn new(model: &Model, prompt: &Prompt, options: GenerateOptions) -> Result<Self> {
        let prompt = encode(model, prompt)?;
        let vocab_size = model.info().vocab_size;
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(Error::TokenRange { token, vocab_size });
        }
        let mut sampler = Sampler::new(options.sampler.clone())?;
        prompt.iter().for_each(|&token| sampler.accept(token));
        Ok(Self {
            prompt,
            sampler,
            text: model.tokenizer().ok().map(|tokenizer| tokenizer.decode_stream(true)),
            stops: StopStrings::new(&options.stop),
            options,
            phase: Phase::Prefill(0),
            cancelled: Rc::default(),
            epoch: None,
            tokens: 0,
            prefill_time: Duration::ZERO,
            decode_time: Duration::ZERO,
            last_event: Instant::now(),
        })
    }

    /// A switch that ends the answer at the next event once it is set.
    pub fn cancelled(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.cancelled)
    }

    /// Runs the model up to the next event; `None` after the end.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails, [`Error::Busy`] where another answer was begun on the model in between; this
    /// one is over then.
    pub async fn next(&mut self, model: &mut Model) -> Result<Option<Event>> {
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        let event = match phase {
            Phase::Ended => return Ok(None),
            _ if self.cancelled.get() => self.end(StopReason::Cancelled),
            Phase::Prefill(0) => {
                self.epoch = Some(model.begin()?);
                self.prefill(model, 0).await?
            }
            _ if self.epoch != Some(model.epoch()) => return Err(Error::Busy),
            Phase::Prefill(done) => self.prefill(model, done).await?,
            Phase::Sample(logits) => self.sample(model, logits),
            Phase::Feed(_) if self.tokens >= self.options.max_tokens => self.end(StopReason::Length),
            Phase::Feed(token) => {
                let start = Instant::now();
                let logits = model.executor().forward(0, &[token], Outputs::Last).await?;
                self.decode_time += start.elapsed();
                self.sample(model, logits)
            }
        };
        self.last_event = Instant::now();
        Ok(Some(event))
    }

    async fn prefill(&mut self, model: &mut Model, done: usize) -> Result<Event> {
        let start = Instant::now();
        let total = self.prompt.len();
        let end = total.min(done + model.executor().max_tokens());
        let outputs = if end == total { Outputs::Last } else { Outputs::None };
        let logits = model.executor().forward(0, &self.prompt[done..end], outputs).await?;
        self.prefill_time += start.elapsed();
        self.phase = if end == total { Phase::Sample(logits) } else { Phase::Prefill(end) };
        Ok(Event::Prefill { done: end, total })
    }

    fn sample(&mut self, model: &Model, mut logits: Vec<f32>) -> Event {
        if self.options.max_tokens == 0 {
            return self.end(StopReason::Length);
        }
        let start = Instant::now();
        let id = self.sampler.sample(&mut logits);
        self.sampler.accept(id);
        self.decode_time += start.elapsed();
        let tokenizer = model.tokenizer().ok();
        if !self.options.ignore_eos && tokenizer.is_some_and(|t| t.stop_tokens().contains(&id)) {
            return self.end(StopReason::Eos);
        }
        if self.options.stop_tokens.contains(&id) {
            return self.end(StopReason::StopToken);
        }
        self.tokens += 1;
        let piece = self.text.as_mut().map(|stream| stream.push(id)).unwrap_or_default();
        let (text, stopped) = self.stops.push(&piece);
        if stopped {
            // The text before the stop string goes out with the end: its token is not whole.
            let mut end = self.end(StopReason::StopString);
            if let Event::End { text: last, .. } = &mut end {
                *last = text;
            }
            return end;
        }
        self.phase = Phase::Feed(id);
        Event::Token { id, text, milliseconds: 1e3 * self.last_event.elapsed().as_secs_f64() }
    }

    fn end(&mut self, stop: StopReason) -> Event {
        let rest = self.text.as_mut().map(DecodeStream::finish).unwrap_or_default();
        let text = match stop {
            StopReason::StopString => String::new(),
            // What an incomplete character leaves behind may itself be held, or even complete a stop string.
            _ => self.stops.push(&rest).0 + &self.stops.finish(),
        };
        let per_second = |count: usize, time: Duration| match time.is_zero() {
            true => 0.0,
            false => count as f64 / time.as_secs_f64(),
        };
        Event::End {
            text,
            stop,
            prompt_tokens: self.prompt.len(),
            tokens: self.tokens,
            prefill_tps: per_second(self.prompt.len(), self.prefill_time),
            // The first token's pass belongs to the prefill.
            decode_tps: per_second(self.tokens.saturating_sub(1), self.decode_time),
        }
    }
}

fn encode(model: &Model, prompt: &Prompt) -> Result<Vec<u32>> {
    match prompt {
        Prompt::Tokens(tokens) => Ok(tokens.clone()),
        Prompt::Chat(messages) => model.tokenizer()?.encode_chat(messages),
        Prompt::Text(text) => model.tokenizer()?.encode_prompt(text, Special::Parse),
    }
}
