//! Which tokens of a vocabulary may come next, where an answer is to follow a JSON schema, a regular expression or a grammar.
//!
//! The work is `llguidance`'s. What is here brings the engine's vocabularies and its own errors to it: natively as a library, and in a
//! page as a wasm module of its own (`web.rs`), which is loaded when the first such answer is asked for.

mod vocabulary;
#[cfg(target_arch = "wasm32")]
mod web;

use std::sync::Arc;

use llguidance::api::{GrammarInit, TopLevelGrammar};
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv};
use llguidance::{JsonCompileOptions, Logger, Matcher, ParserFactory};
use serde_json::Value;

pub use vocabulary::Vocabulary;

/// What is wrong with a schema, an expression, a grammar or a vocabulary: a sentence.
pub type Problem = String;

/// What an answer is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'t> {
    /// A JSON schema, as JSON.
    JsonSchema(&'t str),
    /// A regular expression that all of the answer matches.
    Regex(&'t str),
    /// A grammar in llguidance's dialect of Lark.
    Lark(&'t str),
}

/// Makes matchers over one vocabulary.
pub struct Grammars {
    factory: ParserFactory,
    tokens: usize,
}

impl Grammars {
    /// Over a vocabulary.
    ///
    /// # Errors
    /// Where llguidance does not take it.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, Problem> {
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(vocabulary.trie()));
        let mut factory = ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory, tokens: vocabulary.len() })
    }

    /// A matcher at its beginning.
    ///
    /// # Errors
    /// A form that is malformed, that asks for what llguidance does not support, or that nothing fits.
    pub fn matcher(&self, form: Form<'_>) -> Result<TokenMatcher, Problem> {
        let grammar = grammar_of(form)?;
        let capabilities = InferenceCapabilities::default();
        let (logger, limits) = (Logger::new(0, 0), self.factory.limits().clone());
        let init = GrammarInit::Serialized(grammar);
        let parser = self.factory.create_parser_from_init_ext(init, logger, capabilities, limits);
        let parser = parser.map_err(|error| sentence(&format!("{error:#}")))?;
        let matcher = TokenMatcher { matcher: Matcher::new(Ok(parser)), tokens: self.tokens };
        // What nothing fits may be found with the first mask only.
        matcher.clone().allowed()?;
        Ok(matcher)
    }
}

fn grammar_of(form: Form<'_>) -> Result<TopLevelGrammar, Problem> {
    match form {
        Form::JsonSchema(text) => {
            let mut schema: Value =
                serde_json::from_str(text).map_err(|error| format!("the schema is no JSON: {error}"))?;
            match schema {
                Value::Object(_) => json_format().apply_to(&mut schema),
                Value::Bool(true) => schema = serde_json::json!({}),
                Value::Bool(false) => return Err("nothing fits the schema `false`".into()),
                _ => return Err("a schema is an object".into()),
            }
            Ok(TopLevelGrammar::from_json_schema(schema))
        }
        Form::Regex(text) => Ok(TopLevelGrammar::from_regex(text)),
        Form::Lark(text) => Ok(TopLevelGrammar::from_lark(text.to_owned())),
    }
}

/// JSON on one line, as most of it is written. Where any amount of blanks is allowed, a model may write nothing else.
fn json_format() -> JsonCompileOptions {
    JsonCompileOptions {
        item_separator: ", ".into(),
        key_separator: ": ".into(),
        whitespace_flexible: false,
        ..JsonCompileOptions::default()
    }
}

/// Without what llguidance adds for its own developers.
fn sentence(message: &str) -> Problem {
    let message = message.split("\n<backtrace>").next().unwrap_or_default();
    message.replace("<non-verbose/>", "").trim().to_owned()
}

/// An answer that follows a form, token by token. A clone goes on by itself.
#[derive(Clone)]
pub struct TokenMatcher {
    matcher: Matcher,
    tokens: usize,
}

/// The tokens that may come next, a bit each, 32 in a word, and whether the answer may end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Token t is bit t % 32 of word t / 32.
    pub words: Vec<u32>,
    /// Whether what was taken so far is a whole answer.
    pub may_end: bool,
}

impl TokenMatcher {
    /// What may come next. Where it is nothing, the answer is whole.
    ///
    /// # Errors
    /// Where no token can go on and the answer is not whole, or the form is too complex for a vocabulary of this size.
    pub fn allowed(&mut self) -> Result<Mask, Problem> {
        let mask = self.matcher.compute_mask_or_eos().map_err(|error| self.problem(&error.to_string()))?;
        // The token after the vocabulary's last stands for the end.
        let mut words = mask.as_slice()[..self.tokens / 32 + 1].to_vec();
        let may_end = mask.is_allowed(self.tokens as u32);
        if let Some(last) = words.last_mut() {
            *last &= (1 << (self.tokens % 32)) - 1;
        }
        Ok(Mask { words, may_end })
    }

    /// Goes on after a token.
    ///
    /// # Errors
    /// For a token that is not allowed.
    pub fn take(&mut self, token: u32) -> Result<(), Problem> {
        self.matcher.consume_token(token).map_err(|error| self.problem(&error.to_string()))
    }

    fn problem(&self, message: &str) -> Problem {
        match sentence(message) {
            empty if empty.is_empty() => "no token of the vocabulary goes on".into(),
            problem => problem,
        }
    }
}
