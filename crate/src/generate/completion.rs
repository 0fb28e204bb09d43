//! The completion of one prompt: from sampled ids to text, until something ends it.

use super::shared_prefix::shared_tokens;
use super::{Event, GenerateOptions, Prompt, StopReason};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::sampler::{Sampler, SamplerState};
use crate::stop::StopStrings;
use crate::tokenizer::{DecodeStream, Special};
use std::time::Duration;
use web_time::Instant;

/// A prompt and its completion so far.
pub struct Completion {
    /// The tokens of both.
    pub history: Vec<u32>,
    prompt_tokens: usize,
    /// Tokens read before the first was sampled, and again after a lost device; without those of a checkpoint.
    pub prefilled: usize,
    pub sampler: Sampler,
    options: GenerateOptions,
    /// `None` where the model has no vocabulary: then events have ids alone.
    text: Option<DecodeStream>,
    stops: StopStrings,
    /// Tokens of the completion.
    tokens: usize,
    pub prefill_time: Duration,
    pub decode_time: Duration,
    /// Tokens of the prompt that other prompts share, after which a checkpoint is kept; 0 without [`GenerateOptions::keep_after`].
    pub shared: usize,
    /// Where the last checkpoint of the prompt is.
    pub kept_at: usize,
    last_event: Instant,
}

impl Completion {
    /// Prepares a completion; nothing runs.
    ///
    /// # Errors
    /// As of [`super::Generation::new`].
    pub fn new(model: &Model, prompt: &Prompt, options: &GenerateOptions) -> Result<Self> {
        let (prompt, interrupted) = match options.resume {
            true => resumed(model, prompt)?,
            false => (encode(model, prompt)?, None),
        };
        let vocab_size = model.info().vocab_size;
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(Error::TokenRange { token, vocab_size });
        }
        let sampler = match interrupted {
            Some(state) => Sampler::resume(state)?,
            None => {
                let mut sampler = Sampler::new(options.sampler.clone())?;
                prompt.iter().for_each(|&token| sampler.accept(token));
                sampler
            }
        };
        let shared = match &options.keep_after {
            Some(text) if options.reuse && !options.resume => shared_tokens(model.tokenizer()?, &prompt, text),
            _ => 0,
        };
        Ok(Self {
            prompt_tokens: prompt.len(),
            history: prompt,
            prefilled: 0,
            sampler,
            options: options.clone(),
            text: model.tokenizer().ok().map(|tokenizer| tokenizer.decode_stream(true)),
            stops: StopStrings::new(&options.stop),
            tokens: 0,
            prefill_time: Duration::ZERO,
            decode_time: Duration::ZERO,
            shared,
            kept_at: 0,
            last_event: Instant::now(),
        })
    }

    /// The tokens before the first that was sampled.
    pub fn prompt(&self) -> &[u32] {
        &self.history[..self.prompt_tokens]
    }

    /// Whether it has all tokens that it may have.
    pub fn is_full(&self) -> bool {
        self.tokens >= self.options.max_tokens
    }

    /// Appends a sampled token; gives the token's event, or the end where the token ends the completion.
    pub fn take(&mut self, model: &Model, id: u32) -> Event {
        self.sampler.accept(id);
        let tokenizer = model.tokenizer().ok();
        if !self.options.ignore_eos && tokenizer.is_some_and(|t| t.stop_tokens().contains(&id)) {
            return self.end(StopReason::Eos);
        }
        if self.options.stop_tokens.contains(&id) {
            return self.end(StopReason::StopToken);
        }
        self.tokens += 1;
        self.history.push(id);
        let piece = self.text.as_mut().map(|stream| stream.push(id)).unwrap_or_default();
        let (text, stopped) = self.stops.push(&piece);
        if stopped {
            // The text before the stop string goes out with the end: its token is not whole.
            return self.end_with(StopReason::StopString, text);
        }
        Event::Token { id, text, milliseconds: 1e3 * self.last_event.elapsed().as_secs_f64() }
    }

    /// Its last event, with the text that was held back.
    pub fn end(&mut self, stop: StopReason) -> Event {
        let rest = self.text.as_mut().map(DecodeStream::finish).unwrap_or_default();
        // The replacement of an incomplete character may itself be held back, or complete a stop string.
        let text = self.stops.push(&rest).0 + &self.stops.finish();
        self.end_with(stop, text)
    }

    /// Notes the time of an event, from which the next token's time counts.
    pub fn note_event(&mut self) {
        self.last_event = Instant::now();
    }

    fn end_with(&self, stop: StopReason, text: String) -> Event {
        let per_second = |count: usize, time: Duration| match time.is_zero() {
            true => 0.0,
            false => count as f64 / time.as_secs_f64(),
        };
        Event::End {
            text,
            stop,
            prompt_tokens: self.prompt_tokens,
            prefilled_tokens: self.prefilled,
            tokens: self.tokens,
            prefill_tps: per_second(self.prefilled, self.prefill_time),
            seed: self.sampler.seed(),
            // The first token's pass belongs to the prefill.
            decode_tps: per_second(self.tokens.saturating_sub(1), self.decode_time),
        }
    }
}

/// What the model has read, and `prompt` after it; without a prompt also how the interrupted completion was sampled.
fn resumed(model: &Model, prompt: &Prompt) -> Result<(Vec<u32>, Option<SamplerState>)> {
    let (read, pending, sampler) = model.tokens_read()?;
    let more = match prompt {
        Prompt::Text(text) if text.is_empty() => Vec::new(),
        // In the middle of a text there is no BOS.
        Prompt::Text(text) => model.tokenizer()?.encode(text, Special::Parse)?,
        other => encode(model, other)?,
    };
    let sampler = sampler.filter(|_| more.is_empty()).cloned();
    Ok((read.iter().copied().chain(pending).chain(more).collect(), sampler))
}

pub fn encode(model: &Model, prompt: &Prompt) -> Result<Vec<u32>> {
    match prompt {
        Prompt::Tokens(tokens) => Ok(tokens.clone()),
        Prompt::Chat(messages) => model.tokenizer()?.encode_chat(messages),
        Prompt::Text(text) => model.tokenizer()?.encode_prompt(text, Special::Parse),
    }
}
