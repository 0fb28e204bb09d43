//! The completion of one prompt: from sampled ids to text, until something ends it.

use super::shared_prefix::shared_tokens;
use super::{Event, GenerateOptions, Prompt, StopReason};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::sampler::{Sampler, SamplerState};
use crate::stop::StopStrings;
use crate::tokenizer::{AnswerStart, DecodeStream, Special, Thinking};
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
    /// The stop strings of the options, and after them those of the chat format.
    stops: StopStrings,
    /// Tokens that end the completion by the model's will.
    end_tokens: Vec<u32>,
    /// What the text begins with, until the first token.
    opening: String,
    /// What the first token's text may begin with that is no part of the completion's, until then.
    unsaid: &'static str,
    /// Tokens of the completion.
    tokens: usize,
    pub prefill_time: Duration,
    pub decode_time: Duration,
    /// Tokens of the prompt that other prompts share, after which a checkpoint is kept; 0 without [`GenerateOptions::keep_after`].
    pub shared: usize,
    /// Tokens of the prompt that the next prompt of its conversation begins with too.
    lasting: usize,
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
            false => (encode(model, prompt, options.thinking)?, None),
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
        let AnswerStart { end_tokens, end_texts, opening, unsaid, lasting_tokens } = match model.tokenizer() {
            Ok(tokenizer) => tokenizer.answer_start(&prompt),
            Err(_) => AnswerStart { lasting_tokens: prompt.len(), ..AnswerStart::default() },
        };
        let (end_tokens, end_texts) = if options.ignore_eos { (Vec::new(), &[][..]) } else { (end_tokens, end_texts) };
        let stops = options.stop.iter().map(String::as_str).chain(end_texts.iter().copied());
        Ok(Self {
            prompt_tokens: prompt.len(),
            lasting: lasting_tokens,
            history: prompt,
            prefilled: 0,
            sampler,
            options: options.clone(),
            text: model.tokenizer().ok().map(|tokenizer| tokenizer.decode_stream(true)),
            stops: StopStrings::new(stops),
            end_tokens,
            opening,
            unsaid,
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

    /// After so many tokens a checkpoint is kept, for the same prompt and the next of its conversation: before the last one, whose
    /// logits are needed, and before a thought that the prompt opens.
    pub fn lasting(&self) -> usize {
        let before_last = self.history.len() - 1;
        // What was written before a device was lost is read again.
        if self.tokens == 0 { self.lasting.min(before_last) } else { before_last }
    }

    /// Whether it has all tokens that it may have.
    pub fn is_full(&self) -> bool {
        self.tokens >= self.options.max_tokens
    }

    /// Appends a sampled token; gives the token's event, or the end where the token ends the completion.
    pub fn take(&mut self, id: u32) -> Event {
        self.sampler.accept(id);
        if self.end_tokens.contains(&id) {
            return self.end(StopReason::Eos);
        }
        if self.options.stop_tokens.contains(&id) {
            return self.end(StopReason::StopToken);
        }
        let piece = self.text.as_mut().map(|stream| stream.push(id)).unwrap_or_default();
        let said = piece.strip_prefix(std::mem::take(&mut self.unsaid)).unwrap_or(&piece);
        let (text, met) = self.stops.push(&(std::mem::take(&mut self.opening) + said));
        if met.is_some_and(|stop| stop >= self.options.stop.len()) {
            // What the format ends an answer with is no part of it, in whatever token it came.
            return self.end_with(StopReason::Eos, text);
        }
        self.tokens += 1;
        self.history.push(id);
        if met.is_some() {
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
        other => encode(model, other, Thinking::Auto)?,
    };
    let sampler = sampler.filter(|_| more.is_empty()).cloned();
    Ok((read.iter().copied().chain(pending).chain(more).collect(), sampler))
}

pub fn encode(model: &Model, prompt: &Prompt, thinking: Thinking) -> Result<Vec<u32>> {
    match prompt {
        Prompt::Tokens(tokens) => Ok(tokens.clone()),
        Prompt::Chat(messages) => model.tokenizer()?.encode_chat_thinking(messages, thinking),
        Prompt::Text(text) => model.tokenizer()?.encode_prompt(text, Special::Parse),
    }
}
