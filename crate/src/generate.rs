//! Generation: from a prompt to a stream of token events, cancellable between tokens.

mod answer;
mod many;
mod shared;

use std::cell::Cell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::checkpoints::CheckpointKind;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::executor::Outputs;
use crate::sampler::SamplerOptions;
use crate::tokenizer::ChatMessage;
use answer::{Answer, Taken};

pub use many::{BatchGeneration, EventOf};

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
        answer::encode(model, self)
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
    /// the same up to there. So a document is read once for every question about it. Of [`Generation`] only, and with `reuse`.
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

#[derive(Debug)]
enum Phase {
    /// The model is not ours yet, or its device was lost.
    Begin,
    /// Tokens of the history read so far.
    Prefill(usize),
    /// The prompt is read, and this token was chosen after it.
    Chosen(u32),
    /// The prompt is read, and nothing is to be written.
    Nothing,
    /// A token was given out and not yet read by the model.
    Feed(u32),
    Ended,
}

/// One answer in the making. It borrows nothing: [`Generation::next`] is given the model each time.
pub struct Generation {
    answer: Answer,
    phase: Phase,
    reuse: bool,
    /// Tokens of the prompt that others share, after which a checkpoint is kept; 0 where nobody said so.
    shared: usize,
    /// Where the last checkpoint of this prompt is.
    kept_at: usize,
    cancelled: Rc<Cell<bool>>,
    /// Which reading of the model's state is ours; see [`Model::begin`].
    epoch: Option<u64>,
    last_event: Instant,
}

impl Generation {
    /// Prepares an answer; the model runs only when events are asked for.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`], [`Error::InvalidOption`], [`Error::ChatTemplate`], or
    /// [`Error::Vocabulary`] where a text is given to a model without a vocabulary; [`Error::StateUnknown`] where there is
    /// nothing to resume.
    pub fn new(model: &Model, prompt: &Prompt, options: GenerateOptions) -> Result<Self> {
        let answer = Answer::new(model, prompt, &options)?;
        let shared = match &options.keep_after {
            Some(text) if options.reuse && !options.resume => {
                shared::shared_tokens(model.tokenizer()?, answer.prompt(), text)
            }
            _ => 0,
        };
        Ok(Self {
            answer,
            phase: Phase::Begin,
            reuse: options.reuse || options.resume,
            shared,
            kept_at: 0,
            cancelled: Rc::default(),
            epoch: None,
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
    /// [`Error::DeviceLost`] or [`Error::Worker`] where what runs the model is gone: after [`Model::reload`] the next call goes on with
    /// the same answer, as it does after any other.
    /// [`Error::Gpu`] where it fails, [`Error::Busy`] where another answer was begun on the model in between; this one is over
    /// then.
    pub async fn next(&mut self, model: &mut Model) -> Result<Option<Event>> {
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        if matches!(phase, Phase::Ended) {
            return Ok(None);
        }
        let event = self.step(model, phase).await;
        if event.as_ref().is_err_and(Error::is_loss) {
            // No token is chosen by halves: everything that was given out is in the history, which is read again.
            self.phase = Phase::Begin;
        }
        self.last_event = Instant::now();
        event.map(Some)
    }

    async fn step(&mut self, model: &mut Model, phase: Phase) -> Result<Event> {
        let interrupted = self.epoch.is_some_and(|epoch| model.has_interrupted(epoch));
        let phase = match phase {
            // Loaded again in between, the model has read nothing.
            Phase::Prefill(_) if interrupted => Phase::Begin,
            Phase::Feed(_) if interrupted && !self.answer.is_full() => Phase::Begin,
            phase => phase,
        };
        let event = match phase {
            _ if self.cancelled.get() => self.end(StopReason::Cancelled),
            Phase::Begin => {
                let history = &self.answer.history;
                let (epoch, known) = match self.reuse {
                    true => model.begin_at(history).await?,
                    false => (model.begin()?, 0),
                };
                (self.epoch, self.kept_at) = (Some(epoch), known);
                if known > 0 && known == self.shared {
                    // Known by the state as it is, or by a checkpoint that would not stay.
                    model.keep_checkpoint(CheckpointKind::Shared).await?;
                }
                self.prefill(model, known).await?
            }
            _ if self.epoch != Some(model.epoch()) && !interrupted => return Err(Error::Busy),
            Phase::Prefill(done) => self.prefill(model, done).await?,
            Phase::Chosen(id) => self.take(model, id),
            Phase::Nothing => self.end(StopReason::Length),
            Phase::Feed(_) if self.answer.is_full() => self.end(StopReason::Length),
            Phase::Feed(token) => {
                let start = Instant::now();
                let id = model.sample(&[token], &mut self.answer.sampler).await?;
                self.answer.decode_time += start.elapsed();
                self.take(model, id)
            }
            Phase::Ended => unreachable!("an answer that has ended takes no step"),
        };
        if self.reuse && self.epoch == Some(model.epoch()) && matches!(event, Event::End { .. }) {
            // The answer is whole: a device that fails now is the next one's to report.
            let _ = model.keep_checkpoint(CheckpointKind::Answer).await;
        }
        Ok(event)
    }

    async fn prefill(&mut self, model: &mut Model, done: usize) -> Result<Event> {
        let start = Instant::now();
        let history = &self.answer.history;
        let total = history.len();
        let mut end = total.min(done + model.max_tokens());
        if (done + 1..end).contains(&self.shared) {
            end = self.shared;
        }
        // Before the last token lies the checkpoint from which the same prompt is answered again.
        let before_last = if self.reuse && end == total { total - 1 } else { done };
        if before_last > done {
            model.read(&history[done..before_last], Outputs::None).await?;
            model.keep_checkpoint(CheckpointKind::Prompt).await?;
        }
        let chunk = &history[before_last..end];
        self.phase = if end == total && !self.answer.is_full() {
            Phase::Chosen(model.sample(chunk, &mut self.answer.sampler).await?)
        } else {
            model.read(chunk, Outputs::None).await?;
            if end == total { Phase::Nothing } else { Phase::Prefill(end) }
        };
        let is_due = end - self.kept_at >= model.checkpoints().interval();
        if self.reuse && end < total && (is_due || end == self.shared) {
            let kind = if end == self.shared { CheckpointKind::Shared } else { CheckpointKind::Reading };
            model.keep_checkpoint(kind).await?;
            self.kept_at = end;
        }
        self.answer.prefilled += end - done;
        self.answer.prefill_time += start.elapsed();
        Ok(Event::Prefill { done: end, total })
    }

    fn take(&mut self, model: &mut Model, id: u32) -> Event {
        match self.answer.take(model, id) {
            Taken::Token(text) => {
                if self.epoch == Some(model.epoch()) {
                    model.note_pending(id, &self.answer.sampler);
                }
                self.phase = Phase::Feed(id);
                Event::Token { id, text, milliseconds: 1e3 * self.last_event.elapsed().as_secs_f64() }
            }
            Taken::End(stop, text) => self.answer.end(stop, text),
        }
    }

    fn end(&mut self, stop: StopReason) -> Event {
        let text = self.answer.rest();
        self.answer.end(stop, text)
    }
}
