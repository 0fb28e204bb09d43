//! The completion of one prompt: from sampled ids to text, until something ends it.

use super::constrained::{Constrained, Ends, Next};
use super::likely::token_logprobs;
use super::shared_prefix::shared_tokens;
use super::{Event, GenerateOptions, Prompt, StopReason};
use crate::constraint::Constraint;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::sampler::{MAX_TOP_LOGPROBS, Sampler, SamplerState};
use crate::stop::StopStrings;
use crate::tokenizer::{AnswerStart, ChatOptions, DecodeStream, Special, Tokenizer};
use std::rc::Rc;
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
    /// Decides which tokens may come.
    pub constrained: Option<Constrained>,
    options: GenerateOptions,
    /// `None` where the model has no vocabulary: then events have ids alone.
    text: Option<DecodeStream>,
    tokenizer: Option<Rc<Tokenizer>>,
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
            true => resumed(model, prompt, &options.chat())?,
            false => (encode(model, prompt, &options.chat())?, None),
        };
        let vocab_size = model.info().vocab_size;
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(Error::TokenRange { token, vocab_size });
        }
        if let Some(top) = options.logprobs.filter(|&top| top > MAX_TOP_LOGPROBS) {
            let (option, expected) = ("logprobs", "a whole number from 0 to 20");
            return Err(Error::InvalidOption { option, found: top.to_string(), expected });
        }
        options.sampler.check_vocabulary(vocab_size)?;
        let mut sampler = match interrupted {
            Some(state) => Sampler::resume(state)?,
            None => {
                let mut sampler = Sampler::new(options.sampler.clone())?;
                prompt.iter().for_each(|&token| sampler.accept(token));
                sampler
            }
        };
        sampler.report_logprobs(options.logprobs);
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
            constrained: None,
            options: options.clone(),
            text: model.tokenizer().ok().map(|tokenizer| tokenizer.decode_stream(true)),
            tokenizer: model.tokenizer().ok().map(Rc::clone),
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

    /// Has a constraint decide the tokens of the answer, whose beginning the last `written` tokens of the prompt are.
    ///
    /// # Errors
    /// As of [`super::Generation::constrain`].
    pub fn constrain(&mut self, model: &Model, constraint: Box<dyn Constraint>, written: usize) -> Result<()> {
        let (before, written) = self.history.split_at(self.history.len().saturating_sub(written));
        let tokenizer = model.tokenizer()?;
        let start = tokenizer.answer_start(before);
        let ends = if self.options.ignore_eos { Ends::default() } else { Ends::of(&start, tokenizer) };
        self.stops = StopStrings::new(self.options.stop.iter().map(String::as_str));
        self.constrained = Some(Constrained::new(model, constraint, ends, &start, written)?);
        Ok(())
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
        self.tokens >= self.options.max_tokens || self.is_whole()
    }

    /// Whether nothing may follow: its constraint has an end.
    fn is_whole(&self) -> bool {
        self.constrained.as_ref().is_some_and(|constrained| constrained.next() == Ok(&Next::Nothing))
    }

    /// The end of one that is full.
    pub fn end_full(&mut self) -> Event {
        let stop = if self.is_whole() { StopReason::Eos } else { StopReason::Length };
        self.end(stop)
    }

    /// Appends a sampled token; gives the token's event, or the end where the token ends the completion.
    pub fn take(&mut self, id: u32) -> Event {
        self.sampler.accept(id);
        let logprobs = self.sampler.take_logprobs();
        let is_end = match &self.constrained {
            Some(constrained) => constrained.ends_by(id),
            None => self.end_tokens.contains(&id),
        };
        if is_end {
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
        if let Some(constrained) = &mut self.constrained {
            constrained.take(id);
        }
        if met.is_some() {
            // The text before the stop string goes out with the end: its token is not whole.
            return self.end_with(StopReason::StopString, text);
        }
        let logprobs = logprobs.map(|logprobs| Box::new(token_logprobs(&logprobs, self.tokenizer.as_deref())));
        Event::Token { id, text, milliseconds: 1e3 * self.last_event.elapsed().as_secs_f64(), logprobs }
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
fn resumed(model: &Model, prompt: &Prompt, options: &ChatOptions) -> Result<(Vec<u32>, Option<SamplerState>)> {
    let (read, pending, sampler) = model.tokens_read()?;
    let more = match prompt {
        Prompt::Text(text) if text.is_empty() => Vec::new(),
        // In the middle of a text there is no BOS.
        Prompt::Text(text) => model.tokenizer()?.encode(text, Special::Parse)?,
        other => encode(model, other, options)?,
    };
    let sampler = sampler.filter(|_| more.is_empty()).cloned();
    Ok((read.iter().chain(pending).copied().chain(more).collect(), sampler))
}

pub fn encode(model: &Model, prompt: &Prompt, options: &ChatOptions) -> Result<Vec<u32>> {
    match prompt {
        Prompt::Tokens(tokens) => Ok(tokens.clone()),
        Prompt::Chat(messages) => model.tokenizer()?.encode_chat_with(messages, options),
        Prompt::Text(text) => model.tokenizer()?.encode_prompt(text, Special::Parse),
    }
}
