//! A completion whose tokens a [`Constraint`] decides: what the scheduler may sample next, and when the answer is whole.
//!
//! A thought that the prompt opens is written freely, and the constraint begins after its end. Until then, and wherever the constraint
//! says that the answer is not whole, no token ends the answer: one that is a text, such as RWKV's blank line, is that text there, and
//! comes only where the constraint wants it.

use std::rc::Rc;

use super::completion::Completion;
use crate::constraint::{Allowed, Constraint, TokenMask};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::executor::Outputs;
use crate::tokenizer::{AnswerStart, Tokenizer};

/// What ends a thought.
const THOUGHT_END: &[u8] = b"</think>";

/// What may follow.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// One of several tokens.
    Among(TokenMask),
    /// This token alone: nothing need be computed to choose it.
    Only(u32),
    /// Nothing: the answer is whole.
    Nothing,
}

/// The constraint of a completion, and how far it is.
pub struct Constrained {
    constraint: Box<dyn Constraint>,
    tokenizer: Rc<Tokenizer>,
    ends: Ends,
    /// Whether the answer may end after what was written so far.
    may_end: bool,
    /// Of the model: its logits may be more than its tokenizer's tokens.
    vocab_size: usize,
    /// The token that closes an empty thought of the prompt's, until it is written: it is no part of the answer.
    closing: Option<u32>,
    thought: Option<Thought>,
    /// After what was written so far.
    next: Result<Next>,
}

impl Constrained {
    /// Of the answer to `prompt`, of which `written` is the beginning. `ends` end it where it may end.
    ///
    /// # Errors
    /// [`Error::Grammar`] where nothing may follow and the answer is not whole; [`Error::Vocabulary`] for a model without one.
    pub fn new(
        model: &Model,
        constraint: Box<dyn Constraint>,
        ends: Ends,
        start: &AnswerStart,
        written: &[u32],
    ) -> Result<Self> {
        let tokenizer = Rc::clone(model.tokenizer()?);
        let (vocab_size, thought) = (model.info().vocab_size, Thought::opened(&start.opening, &tokenizer));
        let closes = |id: &u32| !start.unsaid.is_empty() && tokenizer.token_bytes(*id) == start.unsaid.as_bytes();
        let closing = (0..tokenizer.vocab_size() as u32).find(closes);
        let next = Ok(Next::Nothing);
        let may_end = false;
        let mut constrained = Self { constraint, tokenizer, ends, may_end, vocab_size, closing, thought, next };
        constrained.next = constrained.find_next();
        written.iter().for_each(|&token| constrained.take(token));
        constrained.next()?;
        Ok(constrained)
    }

    /// What may follow the tokens so far.
    ///
    /// # Errors
    /// [`Error::Grammar`] where that is nothing, and the answer is not whole.
    pub fn next(&self) -> Result<&Next> {
        self.next.as_ref().map_err(Clone::clone)
    }

    /// Whether the answer ends by this token now.
    pub fn ends_by(&self, token: u32) -> bool {
        self.ends.tokens.contains(&token) || (self.may_end && self.ends.texts.contains(&token))
    }

    /// Goes on after a token. An error is that of the next [`Constrained::next`].
    pub fn take(&mut self, token: u32) {
        if self.next.is_err() {
            return;
        }
        let taken = match &mut self.thought {
            _ if self.closing.take().is_some() => Ok(()),
            Some(thought) => {
                if thought.is_over_after(self.tokenizer.token_bytes(token)) {
                    self.thought = None;
                }
                Ok(())
            }
            None => self.constraint.take(token),
        };
        self.next = taken.and_then(|()| self.find_next());
    }

    fn find_next(&mut self) -> Result<Next> {
        if let Some(closing) = self.closing {
            return Ok(Next::Only(closing));
        }
        let Allowed { mut tokens, may_end } = match &self.thought {
            Some(thought) => Allowed { tokens: thought.allowed(self.vocab_size), may_end: false },
            None => self.constraint.allowed()?,
        };
        self.may_end = may_end;
        tokens.truncate(self.vocab_size);
        self.ends.tokens.iter().for_each(|&token| tokens.remove(token));
        if self.thought.is_some() || may_end {
            self.ends.texts.iter().for_each(|&token| tokens.remove(token));
        }
        let mut first = tokens.iter();
        match (first.next(), first.next()) {
            (None, _) if may_end => Ok(Next::Nothing),
            (None, _) => {
                let problem = "it allows none of the model's tokens, and the answer is not whole".into();
                Err(Error::Grammar { problem })
            }
            (Some(only), None) if !may_end || self.ends.is_empty() => Ok(Next::Only(only)),
            _ => {
                drop(first);
                if may_end {
                    self.ends.all().for_each(|token| tokens.insert(token));
                }
                Ok(Next::Among(tokens))
            }
        }
    }
}

/// The tokens that end a constrained answer where it may end.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// Control tokens, which are nothing else.
    tokens: Vec<u32>,
    /// Tokens of text, such as a blank line, and those that begin with a text by which the format ends an answer.
    texts: Vec<u32>,
}

impl Ends {
    /// Of an answer that begins so.
    pub fn of(start: &AnswerStart, tokenizer: &Tokenizer) -> Self {
        let begins = |id: u32| start.end_texts.iter().any(|end| tokenizer.token_bytes(id).starts_with(end.as_bytes()));
        let is_end = |id: &u32| start.end_tokens.contains(id) || begins(*id);
        let (tokens, texts) =
            (0..tokenizer.vocab_size() as u32).filter(is_end).partition(|&id| tokenizer.is_control(id));
        Self { tokens, texts }
    }

    fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.tokens.iter().chain(&self.texts).copied()
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

/// The next token of a completion, where it is the only one possible: nothing need be computed to choose it.
///
/// # Errors
/// [`Error::Grammar`] where nothing may follow.
pub fn only(completion: &Completion) -> Result<Option<u32>> {
    let Some(constrained) = &completion.constrained else { return Ok(None) };
    match constrained.next()? {
        // Its likelihood is.
        Next::Only(token) if !completion.sampler.reports_logprobs() => Ok(Some(*token)),
        _ => Ok(None),
    }
}

/// Has a completion's sampler choose among what may follow.
///
/// # Errors
/// [`Error::Grammar`] where nothing may.
pub fn mask(completion: &mut Completion) -> Result<()> {
    let Some(constrained) = &completion.constrained else { return Ok(()) };
    let tokens = match constrained.next()? {
        Next::Among(tokens) => tokens.clone(),
        Next::Only(token) => TokenMask::of(*token),
        Next::Nothing => unreachable!("nothing is sampled after a whole answer"),
    };
    completion.sampler.allow(Some(tokens));
    Ok(())
}

/// Reads a chunk into a sequence and samples the token after it.
///
/// # Errors
/// As of [`super::Generation::next_indexed`].
pub async fn sample(model: &mut Model, sequence: usize, chunk: &[u32], completion: &mut Completion) -> Result<u32> {
    if let Some(token) = only(completion)? {
        model.read(sequence, chunk, Outputs::None).await?;
        completion.sampler.pass_over();
        return Ok(token);
    }
    mask(completion)?;
    model.sample(sequence, chunk, &mut completion.sampler).await
}

/// A thought that is being written.
struct Thought {
    /// The last bytes of it, in which its end may have begun.
    tail: Vec<u8>,
    /// Tokens that could end it and begin the answer in one, with their bytes.
    overrunning: Vec<(u32, Vec<u8>)>,
}

impl Thought {
    /// One that the prompt has opened, where `opening` is the opening of a thought.
    fn opened(opening: &str, tokenizer: &Tokenizer) -> Option<Self> {
        let is_open = opening.contains("<think") && !opening.contains("</think>");
        is_open.then(|| {
            let tokens = (0..tokenizer.vocab_size() as u32).map(|id| (id, tokenizer.token_bytes(id)));
            let may_overrun = tokens.filter(|(_, bytes)| {
                let end = bytes.iter().position(|&byte| byte == b'>');
                end.is_some_and(|end| !is_blank(&bytes[end + 1..]))
            });
            Self { tail: Vec::new(), overrunning: may_overrun.map(|(id, bytes)| (id, bytes.to_vec())).collect() }
        })
    }

    /// Every token but those that would end the thought and go on with more than blanks.
    fn allowed(&self, vocab_size: usize) -> TokenMask {
        let mut tokens = TokenMask::all(vocab_size);
        for (id, bytes) in &self.overrunning {
            let text = [self.tail.as_slice(), bytes].concat();
            if end_of_thought(&text).is_some_and(|end| !is_blank(&text[end..])) {
                tokens.remove(*id);
            }
        }
        tokens
    }

    fn is_over_after(&mut self, bytes: &[u8]) -> bool {
        self.tail.extend_from_slice(bytes);
        let is_over = end_of_thought(&self.tail).is_some();
        let kept = self.tail.len().saturating_sub(THOUGHT_END.len() - 1);
        self.tail.drain(..kept);
        is_over
    }
}

fn end_of_thought(text: &[u8]) -> Option<usize> {
    text.windows(THOUGHT_END.len()).position(|window| window == THOUGHT_END).map(|at| at + THOUGHT_END.len())
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}
