//! Goes through the tokens of a template. What is read of them is in `expressions` and `statements`.

use super::lexer::Token;
use super::names::Names;
use super::syntax::Name;
use super::{Result, failure_at};

/// Brackets in brackets, blocks in blocks, `not not`, `if` … `else` in each other: all together. Each takes some of the
/// stack here, where a template is run and where its tree is dropped.
const MAX_NESTING: usize = 64;

pub(super) struct Parser {
    tokens: Vec<(u32, Token)>,
    pub(super) at: usize,
    nesting: usize,
    /// Loops around this statement in the same function: `break` needs one.
    pub(super) loops: usize,
    pub(super) names: Names,
}

impl Parser {
    pub(super) fn new(tokens: Vec<(u32, Token)>) -> Self {
        Self { tokens, at: 0, nesting: 0, loops: 0, names: Names::default() }
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.at).map_or(0, |(line, _)| *line)
    }

    pub(super) fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |(_, token)| token)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.tokens.get_mut(self.at).map_or(Token::End, |(_, token)| std::mem::replace(token, Token::End));
        self.at += 1;
        token
    }

    pub(super) fn fail<T>(&self, problem: impl std::fmt::Display) -> Result<T> {
        Err(failure_at(self.line(), format!("syntax error: {problem}")))
    }

    pub(super) fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        let found = match self.peek() {
            Token::Text(_) | Token::VariableBegin | Token::BlockBegin | Token::End => "the end".to_owned(),
            Token::VariableEnd => "`}}`".into(),
            Token::BlockEnd => "`%}`".into(),
            Token::Name(name) => format!("`{name}`"),
            Token::Str(_) => "a string".into(),
            Token::Int(_) | Token::Float(_) => "a number".into(),
            Token::Operator(operator) => format!("`{operator}`"),
        };
        self.fail(format!("{wanted} was expected, not {found}"))
    }

    /// Runs a part of the grammar one level deeper.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting == MAX_NESTING {
            return self.fail(format!("it is nested deeper than {MAX_NESTING} levels (recursion limit)"));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Operator(found) if *found == operator)
    }

    pub(super) fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.skip_operator(operator) { Ok(()) } else { self.unexpected(&format!("`{operator}`")) }
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if **found == *name)
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_name(&mut self) -> Result<Name> {
        match self.peek() {
            Token::Name(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    pub(super) fn take_token(&mut self, token: &Token, text: &str) -> Result<()> {
        if self.peek() == token {
            self.at += 1;
            Ok(())
        } else {
            self.unexpected(&format!("`{text}`"))
        }
    }
}
