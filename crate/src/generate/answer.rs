//! One answer: from chosen ids to text, until something ends it.

use super::{Event, GenerateOptions, Prompt, StopReason};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::sampler::{Sampler, SamplerState};
use crate::stop::StopStrings;
use crate::tokenizer::{DecodeStream, Special};
use std::time::Duration;

/// A prompt, and what has been written after it.
pub struct Answer {
    /// The tokens of both.
    pub history: Vec<u32>,
    prompt_tokens: usize,
    /// Tokens read before the first was chosen, and again where a device was lost: of what is known, none.
    pub prefilled: usize,
    pub sampler: Sampler,
    options: GenerateOptions,
    /// None where the model has no vocabulary: then only ids are given.
    text: Option<DecodeStream>,
    stops: StopStrings,
    /// Tokens written.
    tokens: usize,
    pub prefill_time: Duration,
    pub decode_time: Duration,
}

/// What a chosen token does to an answer.
pub enum Taken {
    /// It belongs to it, and completes this text.
    Token(String),
    /// It ends it.
    End(StopReason, String),
}

impl Answer {
    /// Prepares an answer; nothing runs.
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
        })
    }

    /// The tokens that were there before the first was written.
    pub fn prompt(&self) -> &[u32] {
        &self.history[..self.prompt_tokens]
    }

    /// True where no more tokens may be written.
    pub fn is_full(&self) -> bool {
        self.tokens >= self.options.max_tokens
    }

    /// Takes the token that was chosen.
    pub fn take(&mut self, model: &Model, id: u32) -> Taken {
        self.sampler.accept(id);
        let tokenizer = model.tokenizer().ok();
        if !self.options.ignore_eos && tokenizer.is_some_and(|t| t.stop_tokens().contains(&id)) {
            return self.stop(StopReason::Eos);
        }
        if self.options.stop_tokens.contains(&id) {
            return self.stop(StopReason::StopToken);
        }
        self.tokens += 1;
        self.history.push(id);
        let piece = self.text.as_mut().map(|stream| stream.push(id)).unwrap_or_default();
        match self.stops.push(&piece) {
            // The text before the stop string goes out with the end: its token is not whole.
            (text, true) => Taken::End(StopReason::StopString, text),
            (text, false) => Taken::Token(text),
        }
    }

    fn stop(&mut self, reason: StopReason) -> Taken {
        Taken::End(reason, self.rest())
    }

    /// What was held back.
    pub fn rest(&mut self) -> String {
        let rest = self.text.as_mut().map(DecodeStream::finish).unwrap_or_default();
        // What an incomplete character leaves behind may itself be held, or even complete a stop string.
        self.stops.push(&rest).0 + &self.stops.finish()
    }

    /// The last event, with the text that goes out with it.
    pub fn end(&self, stop: StopReason, text: String) -> Event {
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

/// What the model has read, and `prompt` after it; without a prompt also how the interrupted answer was sampled.
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
