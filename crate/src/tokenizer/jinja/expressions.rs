//! Tokens to the syntax tree: the grammar of Jinja2's expressions.

use std::rc::Rc;

use super::Result;
use super::lexer::Token;
use super::names::Kind;
use super::parser::Parser;
use super::syntax::{Arguments, Comparison, Expr, Name, Operator, Step};

impl Parser {
    /// An expression with `… if … else …`.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.nested(|parser| {
            let mut value = parser.or()?;
            while parser.skip_name("if") {
                let condition = Box::new(parser.or()?);
                let otherwise = if parser.skip_name("else") { Some(Box::new(parser.expression()?)) } else { None };
                let nested = otherwise.is_none() && parser.is_name("if");
                value = Expr::If { condition, then: Box::new(value), otherwise };
                if nested {
                    return parser.fail("`if` after `if` without `else`");
                }
            }
            Ok(value)
        })
    }

    /// Expressions with commas between them are a tuple. `conditions` allows `if`, which a loop's own `if` rules out.
    pub(super) fn tuple(&mut self, conditions: bool) -> Result<Expr> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if self.at_tuple_end() {
                break;
            }
            items.push(if conditions { self.expression()? } else { self.nested(Self::or)? });
            if !self.skip_operator(",") {
                break;
            }
            is_tuple = true;
        }
        match items.pop() {
            Some(item) if !is_tuple => Ok(item),
            Some(item) => {
                items.push(item);
                Ok(Expr::Tuple(items))
            }
            None => self.unexpected("an expression"),
        }
    }

    fn at_tuple_end(&self) -> bool {
        matches!(self.peek(), Token::VariableEnd | Token::BlockEnd | Token::Operator(")") | Token::End)
            || self.is_name("recursive")
    }

    fn or(&mut self) -> Result<Expr> {
        let first = self.and()?;
        if !self.is_name("or") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.skip_name("or") {
            operands.push(self.and()?);
        }
        Ok(Expr::Or(operands))
    }

    fn and(&mut self) -> Result<Expr> {
        let first = self.not()?;
        if !self.is_name("and") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.skip_name("and") {
            operands.push(self.not()?);
        }
        Ok(Expr::And(operands))
    }

    fn not(&mut self) -> Result<Expr> {
        if self.skip_name("not") {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.not()?))));
        }
        self.compare()
    }

    fn compare(&mut self) -> Result<Expr> {
        let first = self.arithmetic(0)?;
        let mut others = Vec::new();
        while let Some(comparison) = self.comparison() {
            others.push((comparison, self.arithmetic(0)?));
        }
        Ok(if others.is_empty() { first } else { Expr::Compare(Box::new(first), others) })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let (comparison, tokens) = match self.peek() {
            Token::Operator("==") => (Comparison::Equal, 1),
            Token::Operator("!=") => (Comparison::Unequal, 1),
            Token::Operator("<") => (Comparison::Less, 1),
            Token::Operator("<=") => (Comparison::LessOrEqual, 1),
            Token::Operator(">") => (Comparison::Greater, 1),
            Token::Operator(">=") => (Comparison::GreaterOrEqual, 1),
            Token::Name(name) if **name == *"in" => (Comparison::In, 1),
            Token::Name(name) if **name == *"not" => match self.peek_at(1) {
                Token::Name(name) if **name == *"in" => (Comparison::NotIn, 2),
                _ => return None,
            },
            _ => return None,
        };
        self.at += tokens;
        Some(comparison)
    }

    /// Operators by precedence, loosest first; `~` stands between `+` and `*`, and `**` groups to the left.
    fn arithmetic(&mut self, level: usize) -> Result<Expr> {
        const LEVELS: [&[(&str, Operator)]; 4] = [
            &[("+", Operator::Add), ("-", Operator::Subtract)],
            &[],
            &[
                ("*", Operator::Multiply),
                ("//", Operator::FloorDivide),
                ("/", Operator::Divide),
                ("%", Operator::Remainder),
            ],
            &[("**", Operator::Power)],
        ];
        const CONCAT: usize = 1;
        let Some(operators) = LEVELS.get(level) else { return self.unary(true) };
        let first = self.arithmetic(level + 1)?;
        if level == CONCAT {
            if !self.is_operator("~") {
                return Ok(first);
            }
            let mut operands = vec![first];
            while self.skip_operator("~") {
                operands.push(self.arithmetic(level + 1)?);
            }
            return Ok(Expr::Concat(operands));
        }
        let mut others = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.is_operator(text)) {
            self.at += 1;
            others.push((*operator, self.arithmetic(level + 1)?));
        }
        Ok(if others.is_empty() { first } else { Expr::Arithmetic(Box::new(first), others) })
    }

    /// A signed operand. A sign binds closer than filters do: `-1 | abs` is 1.
    fn unary(&mut self, with_filters: bool) -> Result<Expr> {
        let mut value = if self.skip_operator("-") {
            self.nested(|parser| Ok(Expr::Negative(Box::new(parser.unary(false)?))))?
        } else if self.skip_operator("+") {
            self.nested(|parser| Ok(Expr::Positive(Box::new(parser.unary(false)?))))?
        } else {
            self.primary()?
        };
        let mut steps = self.postfix()?;
        if let (Expr::Str(name), true, true) = (&value, steps.is_empty(), self.asks_for_a_name()) {
            self.names.knows(name);
        }
        if with_filters {
            self.filters_and_tests(&mut steps)?;
        }
        if !steps.is_empty() {
            value = Expr::Chain(Box::new(value), steps);
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expr> {
        match self.peek() {
            Token::Name(_) => Ok(match self.expect_name()? {
                name if matches!(&*name, "true" | "True") => Expr::Bool(true),
                name if matches!(&*name, "false" | "False") => Expr::Bool(false),
                name if matches!(&*name, "none" | "None") => Expr::None,
                name => {
                    // What is only ever called has to be there.
                    match self.peek() {
                        Token::Operator("(") => self.names.uses(self.line(), Kind::Function, &name),
                        _ => self.names.knows(&name),
                    }
                    Expr::Name(name)
                }
            }),
            Token::Str(_) => {
                let mut text = String::new();
                while let Token::Str(_) = self.peek() {
                    if let Token::Str(part) = self.next() {
                        text += &part;
                    }
                }
                Ok(Expr::Str(text.into()))
            }
            Token::Int(number) => {
                let number = *number;
                self.at += 1;
                Ok(Expr::Int(number))
            }
            Token::Float(number) => {
                let number = *number;
                self.at += 1;
                Ok(Expr::Float(number))
            }
            Token::Operator("(") => {
                self.at += 1;
                if self.skip_operator(")") {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let value = self.tuple(true)?;
                self.expect_operator(")")?;
                Ok(value)
            }
            Token::Operator("[") => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.skip_operator("]") {
                    if !items.is_empty() {
                        self.expect_operator(",")?;
                        if self.skip_operator("]") {
                            break;
                        }
                    }
                    items.push(self.expression()?);
                }
                Ok(Expr::List(items))
            }
            Token::Operator("{") => self.dict(),
            _ => self.unexpected("an expression"),
        }
    }

    fn dict(&mut self) -> Result<Expr> {
        self.expect_operator("{")?;
        let mut entries = Vec::new();
        while !self.skip_operator("}") {
            if !entries.is_empty() {
                self.expect_operator(",")?;
                if self.skip_operator("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect_operator(":")?;
            entries.push((key, self.expression()?));
        }
        Ok(Expr::Dict(entries))
    }

    fn postfix(&mut self) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            match self.peek() {
                Token::Operator(".") => {
                    self.at += 1;
                    steps.push(match self.peek() {
                        Token::Int(index) => {
                            let index = *index;
                            self.at += 1;
                            Step::Item(Expr::Int(index))
                        }
                        _ => Step::Attribute(self.expect_name()?),
                    });
                }
                Token::Operator("[") => {
                    self.at += 1;
                    steps.push(self.subscript()?);
                }
                Token::Operator("(") => steps.push(Step::Call(self.arguments()?)),
                _ => return Ok(steps),
            }
        }
    }

    fn subscript(&mut self) -> Result<Step> {
        let mut parts = [None, None, None];
        let mut part = 0;
        loop {
            if !self.is_operator(":") && !self.is_operator("]") {
                parts[part] = Some(self.expression()?);
            }
            if part == 2 || !self.skip_operator(":") {
                break;
            }
            part += 1;
        }
        if part == 0 && self.is_operator(",") {
            let mut items: Vec<Expr> = parts[0].take().into_iter().collect();
            while self.skip_operator(",") && !self.is_operator("]") {
                items.push(self.expression()?);
            }
            parts[0] = Some(Expr::Tuple(items));
        }
        self.expect_operator("]")?;
        match parts {
            parts if part > 0 => Ok(Step::Slice(Box::new(parts))),
            [Some(item), ..] => Ok(Step::Item(item)),
            _ => self.fail("`[]` without an index"),
        }
    }

    pub(super) fn arguments(&mut self) -> Result<Arguments> {
        self.expect_operator("(")?;
        let mut arguments = Arguments::default();
        let mut is_first = true;
        while !self.skip_operator(")") {
            if !is_first {
                self.expect_operator(",")?;
                if self.skip_operator(")") {
                    break;
                }
            }
            is_first = false;
            let is_named = matches!((self.peek(), self.peek_at(1)), (Token::Name(_), Token::Operator("=")));
            if self.skip_operator("**") {
                arguments.more_named = Some(Box::new(self.expression()?));
            } else if self.skip_operator("*") {
                arguments.more = Some(Box::new(self.expression()?));
            } else if is_named {
                let name = self.expect_name()?;
                self.expect_operator("=")?;
                arguments.named.push((name, self.expression()?));
            } else if arguments.named.is_empty() && arguments.more.is_none() && arguments.more_named.is_none() {
                arguments.positional.push(self.expression()?);
            } else {
                return self.fail("a positional argument after others");
            }
        }
        Ok(arguments)
    }

    fn filters_and_tests(&mut self, steps: &mut Vec<Step>) -> Result<()> {
        loop {
            if self.is_operator("|") {
                self.at += 1;
                steps.push(self.filter()?);
            } else if self.skip_name("is") {
                steps.push(self.test()?);
            } else if self.is_operator("(") {
                steps.push(Step::Call(self.arguments()?));
            } else {
                return Ok(());
            }
        }
    }

    /// The filters of `{% filter a | b %}` and `{% set x | a | b %}`.
    pub(super) fn filter_chain(&mut self) -> Result<Vec<Step>> {
        let mut steps = vec![self.filter()?];
        while self.skip_operator("|") {
            steps.push(self.filter()?);
        }
        Ok(steps)
    }

    fn filter(&mut self) -> Result<Step> {
        let line = self.line();
        let name = self.dotted_name()?;
        self.names.uses(line, Kind::Filter, &name);
        let arguments = if self.is_operator("(") { self.arguments()? } else { Arguments::default() };
        Ok(Step::Filter(name, arguments))
    }

    fn test(&mut self) -> Result<Step> {
        let negated = self.skip_name("not");
        let line = self.line();
        let name = self.dotted_name()?;
        self.names.uses(line, Kind::Test, &name);
        let mut arguments = Arguments::default();
        let is_operand = match self.peek() {
            Token::Name(name) => !matches!(&**name, "else" | "or" | "and" | "is"),
            Token::Str(_) | Token::Int(_) | Token::Float(_) | Token::Operator("[" | "{") => true,
            _ => false,
        };
        if self.is_operator("(") {
            arguments = self.arguments()?;
        } else if self.is_name("is") {
            return self.fail("tests with `is` cannot be chained");
        } else if is_operand {
            arguments.positional.push(self.nested(|parser| {
                let value = parser.primary()?;
                let steps = parser.postfix()?;
                Ok(if steps.is_empty() { value } else { Expr::Chain(Box::new(value), steps) })
            })?);
        }
        Ok(Step::Test { name, arguments, negated })
    }

    /// Whether `is filter` or `is test` follows.
    fn asks_for_a_name(&self) -> bool {
        let is_name =
            |ahead, names: &[&str]| matches!(self.peek_at(ahead), Token::Name(name) if names.contains(&&**name));
        is_name(0, &["is"]) && is_name(if is_name(1, &["not"]) { 2 } else { 1 }, &["filter", "test"])
    }

    fn dotted_name(&mut self) -> Result<Name> {
        let name = self.expect_name()?;
        if !self.is_operator(".") {
            return Ok(name);
        }
        let mut dotted = name.to_string();
        while self.skip_operator(".") {
            dotted += ".";
            dotted += &self.expect_name()?;
        }
        Ok(Rc::from(dotted))
    }
}
