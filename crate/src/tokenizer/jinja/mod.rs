//! An interpreter of Jinja for chat templates, which come from model files and are not trusted.
//!
//! It behaves as the environment that such templates are written for: Jinja2 with Python's values and methods, trimmed
//! blocks, `break` and `continue`, `generation`, `raise_exception`, `strftime_now`, and `tojson` without HTML escapes. The
//! golden renderings are Jinja2's. Absent on purpose: what changes lists and maps (forbidden there too), other templates
//! (`include`), and escaping.
//!
//! Every template ends, in text or in a failure: its length and nesting are bounded, and so are the steps it takes, the
//! bytes of all its values, how deep values nest and how deep it calls itself (`budget`, `value`, `interpreter`).
//! `input` is what a template is given. A text is read by `lexer`, `parser`, `expressions` and `statements` into `syntax` and `names`. `interpreter` and `evaluation` run it,
//! with Python's `operators`, `methods` (`searching`), `formatting` and `printing`, and Jinja2's `filters`, `sequences`
//! (filters of lists), `predicates` (tests) and `functions`.

mod budget;
mod evaluation;
mod expressions;
mod filters;
mod formatting;
mod functions;
mod input;
mod interpreter;
mod lexer;
mod methods;
mod names;
mod operators;
mod parser;
mod predicates;
mod printing;
mod python;
mod searching;
mod sequences;
mod statements;
mod strftime;
mod syntax;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::error::Error;
use budget::Meter;
pub(super) use input::Input;
use interpreter::Interpreter;
use parser::Parser;

/// Bytes of a template. Published ones have up to 30,000.
const MAX_SOURCE_BYTES: usize = 256 << 10;

/// Bytes of a prompt beside four times the context's, which hold what templates escape: turning it into tokens takes time
/// and memory too.
const MAX_OWN_BYTES: usize = 256 << 10;

/// Characters of a failure that are kept: a template decides how long it is.
const MAX_PROBLEM: usize = 400;

type Result<T> = std::result::Result<T, Failure>;

/// Why a template failed, and where.
#[derive(Debug)]
struct Failure(Box<(String, Option<u32>)>);

impl Failure {
    /// Adds the line, unless an inner statement has done so.
    fn in_line(mut self, line: u32) -> Self {
        self.0.1.get_or_insert(line);
        self
    }
}

fn failure(problem: impl Into<String>) -> Failure {
    Failure(Box::new((problem.into(), None)))
}

fn failure_at(line: u32, problem: impl Into<String>) -> Failure {
    failure(problem).in_line(line)
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (problem, line) = *failure.0;
        let mut problem: String = problem.chars().take(MAX_PROBLEM).collect();
        if let Some(line) = line {
            problem += &format!(" (line {line})");
        }
        Self::ChatTemplate { problem }
    }
}

/// Options of a rendering, besides the context.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RenderOptions {
    /// Seconds since 1970; without it there is no `strftime_now`.
    pub(super) now: Option<i64>,
    /// A character of the contents that is never escaped.
    pub(super) mark: Option<char>,
}

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template {
    body: syntax::Body,
    names: names::Names,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where its syntax is wrong, or it is too long or too deeply nested.
    pub(super) fn new(source: &str) -> crate::error::Result<Self> {
        if source.len() > MAX_SOURCE_BYTES {
            let problem = format!("it has {} bytes, and at most {MAX_SOURCE_BYTES} are read", source.len());
            return Err(Error::ChatTemplate { problem });
        }
        let tokens = lexer::tokens(source)?;
        let mut parser = Parser::new(tokens);
        let body = parser.template()?;
        Ok(Self { body, names: parser.names })
    }

    /// Whether there are the filters, tests and functions that it names. One that asks for them itself, as by `'tojson' is filter`, may
    /// name others.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] for the first that there is not.
    pub(super) fn check_names(&self) -> crate::error::Result<()> {
        self.names.missing().map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Renders it.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where it fails, or takes more than its budget.
    pub(super) fn render(&self, context: &[(&str, Input)], options: RenderOptions) -> crate::error::Result<String> {
        let bytes: usize = context.iter().map(|(_, value)| value.bytes()).sum();
        let meter = Meter::for_input(bytes);
        let mut globals = BTreeMap::new();
        for (name, value) in context {
            globals.insert(*name, value.value(&meter)?);
        }
        Ok(Interpreter::new(meter, globals)?
            .with_options(options)
            .run(&self.body, bytes.saturating_mul(4).saturating_add(MAX_OWN_BYTES))?)
    }
}
