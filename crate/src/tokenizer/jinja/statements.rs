//! The grammar of Jinja2's statements, with what chat templates are written for beside: `break` and `continue`, `do`, and
//! `generation`, which marks what the model said.

use super::Result;
use super::lexer::Token;
use super::parser::Parser;
use super::syntax::{Body, Expr, For, Macro, Name, Statement, StatementKind, Target};

impl Parser {
    /// A whole template.
    pub(super) fn template(&mut self) -> Result<Body> {
        let body = self.body(&[])?;
        match self.peek() {
            Token::End => Ok(body),
            _ => self.fail("a tag that belongs nowhere"),
        }
    }

    /// Statements up to one of these names, which stays the next token; the `{%` before it is taken.
    fn body(&mut self, ends: &[&str]) -> Result<Body> {
        let mut body = Body::new();
        loop {
            let line = self.line();
            match self.peek() {
                Token::End if ends.is_empty() => return Ok(body),
                Token::End => return self.fail(format!("`{}` is missing", ends[ends.len() - 1])),
                Token::Text(_) => {
                    if let Token::Text(text) = self.next() {
                        body.push(Statement { line, kind: StatementKind::Text(text) });
                    }
                }
                Token::VariableBegin => {
                    self.next();
                    let value = self.tuple(true)?;
                    self.take_token(&Token::VariableEnd, "}}")?;
                    body.push(Statement { line, kind: StatementKind::Output(value) });
                }
                Token::BlockBegin => {
                    self.next();
                    if matches!(self.peek(), Token::Name(name) if ends.contains(&&**name)) {
                        return Ok(body);
                    }
                    let kind = self.nested(Self::statement)?;
                    self.take_token(&Token::BlockEnd, "%}")?;
                    body.push(Statement { line, kind });
                }
                _ => return self.fail("a tag that belongs nowhere"),
            }
        }
    }

    /// A body after `… %}`, with its end.
    fn body_to(&mut self, end: &str) -> Result<Body> {
        self.take_token(&Token::BlockEnd, "%}")?;
        let body = self.body(&[end])?;
        self.next();
        Ok(body)
    }

    /// A body that is a function of its own, which no `break` leaves.
    fn function_body(&mut self, end: &str) -> Result<Body> {
        let loops = std::mem::take(&mut self.loops);
        let body = self.body_to(end);
        self.loops = loops;
        body
    }

    fn statement(&mut self) -> Result<StatementKind> {
        let name = self.expect_name()?;
        match &*name {
            "if" => self.if_statement(),
            "for" => self.for_statement(),
            "set" => self.set(),
            "macro" => self.macro_statement(),
            "call" => self.call(),
            "filter" => {
                let filters = self.filter_chain()?;
                Ok(StatementKind::FilterBlock { filters, body: self.body_to("endfilter")? })
            }
            "with" => self.with(),
            "block" => self.block(),
            "generation" => Ok(StatementKind::Scoped(self.function_body("endgeneration")?)),
            "autoescape" => {
                let enabled = self.expression()?;
                Ok(StatementKind::Autoescape { enabled, body: self.body_to("endautoescape")? })
            }
            "do" => Ok(StatementKind::Do(self.tuple(true)?)),
            "break" | "continue" if self.loops == 0 => self.fail(format!("`{name}` outside of a loop")),
            "break" => Ok(StatementKind::Break),
            "continue" => Ok(StatementKind::Continue),
            "include" | "import" | "from" | "extends" => {
                while !matches!(self.peek(), Token::BlockEnd | Token::End) {
                    self.next();
                }
                Ok(StatementKind::NeedsLoader(name))
            }
            _ => self.fail(format!("unknown statement `{name}`")),
        }
    }

    fn if_statement(&mut self) -> Result<StatementKind> {
        let mut branches = Vec::new();
        let mut otherwise = Body::new();
        loop {
            let condition = self.tuple(true)?;
            self.take_token(&Token::BlockEnd, "%}")?;
            branches.push((condition, self.body(&["elif", "else", "endif"])?));
            if self.skip_name("elif") {
                continue;
            }
            if self.skip_name("else") {
                otherwise = self.body_to("endif")?;
            } else {
                self.next();
            }
            return Ok(StatementKind::If { branches, otherwise });
        }
    }

    fn for_statement(&mut self) -> Result<StatementKind> {
        let target = self.targets(&["in"])?;
        if !self.skip_name("in") {
            return self.fail("`in` is missing");
        }
        let items = self.tuple(false)?;
        let condition = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        self.take_token(&Token::BlockEnd, "%}")?;
        self.loops += 1;
        let body = self.body(&["else", "endfor"])?;
        self.loops -= 1;
        let otherwise = if self.skip_name("else") {
            self.body_to("endfor")?
        } else {
            self.next();
            Body::new()
        };
        Ok(StatementKind::For(Box::new(For { target, items, condition, recursive, body, otherwise })))
    }

    /// Names with commas between them, up to one of these words or the end of the tag.
    fn targets(&mut self, ends: &[&str]) -> Result<Target> {
        let first = self.target()?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.skip_operator(",") {
            let at_end = matches!(self.peek(), Token::Operator("=" | ")") | Token::BlockEnd)
                || ends.iter().any(|end| self.is_name(end));
            if at_end {
                break;
            }
            targets.push(self.target()?);
        }
        Ok(Target::Tuple(targets))
    }

    fn target(&mut self) -> Result<Target> {
        if self.skip_operator("(") {
            let targets = self.nested(|parser| parser.targets(&[]))?;
            self.expect_operator(")")?;
            return Ok(targets);
        }
        let name = self.expect_name()?;
        self.names.knows(&name);
        if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
            return self.fail(format!("`{name}` cannot be assigned to"));
        }
        if self.skip_operator(".") {
            return Ok(Target::Attribute(name, self.expect_name()?));
        }
        Ok(Target::Name(name))
    }

    fn set(&mut self) -> Result<StatementKind> {
        let target = self.targets(&[])?;
        if self.skip_operator("=") {
            return Ok(StatementKind::Set { target, value: self.tuple(true)? });
        }
        let filters = if self.skip_operator("|") { self.filter_chain()? } else { Vec::new() };
        Ok(StatementKind::SetBlock { target, filters, body: self.body_to("endset")? })
    }

    fn parameters(&mut self) -> Result<Vec<(Name, Option<Expr>)>> {
        let mut parameters: Vec<(Name, Option<Expr>)> = Vec::new();
        self.expect_operator("(")?;
        while !self.skip_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
            }
            let name = self.expect_name()?;
            self.names.knows(&name);
            let default = if self.skip_operator("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|(_, default)| default.is_some()) {
                return self.fail("a parameter without a default after one with a default");
            }
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    fn macro_statement(&mut self) -> Result<StatementKind> {
        let name = self.expect_name()?;
        self.names.knows(&name);
        let parameters = self.parameters()?;
        let body = self.function_body("endmacro")?;
        Ok(StatementKind::Macro(Macro { name, parameters, body }))
    }

    fn call(&mut self) -> Result<StatementKind> {
        let parameters = if self.is_operator("(") { self.parameters()? } else { Vec::new() };
        let call = self.expression()?;
        let body = self.function_body("endcall")?;
        Ok(StatementKind::Call { call, caller: Macro { name: "caller".into(), parameters, body } })
    }

    fn with(&mut self) -> Result<StatementKind> {
        let mut names = Vec::new();
        while !matches!(self.peek(), Token::BlockEnd) {
            if !names.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target()?;
            self.expect_operator("=")?;
            names.push((target, self.expression()?));
        }
        Ok(StatementKind::With { names, body: self.body_to("endwith")? })
    }

    fn block(&mut self) -> Result<StatementKind> {
        let name = self.expect_name()?;
        while self.skip_name("scoped") || self.skip_name("required") {}
        let body = self.function_body("endblock")?;
        self.skip_name(&name);
        Ok(StatementKind::Scoped(body))
    }
}
