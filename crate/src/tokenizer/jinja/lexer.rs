//! Template text to tokens, with Jinja2's rules for white space: `trim_blocks` and `lstrip_blocks` are on, a newline at the
//! very end is dropped, `-` strips and `+` keeps.

use std::rc::Rc;

use super::{Result, failure_at, python};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text outside of tags.
    Text(String),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Rc<str>),
    Str(String),
    Int(i64),
    Float(f64),
    Operator(&'static str),
    End,
}

/// Longer ones first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

/// All tokens, each with its line; the last one is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(u32, Token)>> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, at: 0, line: 1, line_starting: true, tokens: Vec::new() };
    lexer.run()?;
    lexer.push(Token::End);
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    /// Whether the last tag took the newline after it along.
    line_starting: bool,
    tokens: Vec<(u32, Token)>,
}

impl<'s> Lexer<'s> {
    fn run(&mut self) -> Result<()> {
        while self.at < self.source.len() {
            let rest = self.rest();
            let begins = rest.match_indices('{').find(|(at, _)| rest[at + 1..].starts_with(['{', '%', '#']));
            let Some((length, _)) = begins else {
                self.push(Token::Text(rest.to_owned()));
                break;
            };
            let tag = rest.as_bytes()[length + 1];
            let sign = rest[length + 2..].chars().next().filter(|c| matches!(c, '-' | '+'));
            self.text(&rest[..length], sign, tag != b'{');
            self.line += newlines(&rest[..length]);
            self.at += length + 2 + usize::from(sign.is_some());
            match tag {
                b'#' => self.comment()?,
                b'%' if self.raw_begins() => self.raw()?,
                b'%' => self.tag(Token::BlockBegin, Token::BlockEnd, "%}")?,
                _ => self.tag(Token::VariableBegin, Token::VariableEnd, "}}")?,
            }
        }
        Ok(())
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((self.line, token));
    }

    fn skip(&mut self, length: usize) {
        let skipped = &self.source[self.at..self.at + length];
        self.line += newlines(skipped);
        self.at += length;
        self.line_starting = skipped.ends_with('\n');
    }

    /// Text before a tag with this sign.
    fn text(&mut self, text: &str, sign: Option<char>, is_block: bool) {
        let kept = match sign {
            Some('-') => text.trim_end_matches(python::is_space),
            None if is_block => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                let whole_line = line > 0 || self.line_starting;
                if whole_line && text[line..].chars().all(python::is_space) { &text[..line] } else { text }
            }
            _ => text,
        };
        if !kept.is_empty() {
            self.push(Token::Text(kept.to_owned()));
        }
    }

    fn comment(&mut self) -> Result<()> {
        let end =
            self.rest().find("#}").ok_or_else(|| failure_at(self.line, "syntax error: a comment does not end"))?;
        let signed = self.rest()[..end].ends_with(['-', '+']);
        self.skip(end - usize::from(signed));
        let length = self.end_of_tag("#}", true).unwrap_or_default();
        self.skip(length);
        Ok(())
    }

    /// The length of a tag's end at this place, with the white space that goes with it.
    fn end_of_tag(&self, end: &str, trims: bool) -> Option<usize> {
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(end)) {
            return Some(rest.len() - after.trim_start_matches(python::is_space).len());
        }
        if trims && rest.strip_prefix('+').is_some_and(|rest| rest.starts_with(end)) {
            return Some(1 + end.len());
        }
        let after = rest.strip_prefix(end)?;
        Some(end.len() + usize::from(trims && after.starts_with('\n')))
    }

    fn raw_begins(&self) -> bool {
        let rest = self.rest().trim_start_matches(python::is_space);
        let after = rest.strip_prefix("raw").map(|rest| rest.trim_start_matches(python::is_space));
        after.is_some_and(|after| after.starts_with("%}") || after.starts_with("-%}"))
    }

    fn raw(&mut self) -> Result<()> {
        let line = self.line;
        let name = self.rest().find("raw").unwrap_or_default() + 3;
        self.skip(name);
        let space = self.rest().len() - self.rest().trim_start_matches(python::is_space).len();
        self.skip(space);
        let length = self.end_of_tag("%}", false).unwrap_or_default();
        self.skip(length);
        let mut from = 0;
        while let Some(found) = self.rest()[from..].find("{%") {
            let begin = from + found;
            let after = &self.rest()[begin + 2..];
            let sign = after.chars().next().filter(|c| matches!(c, '-' | '+'));
            let after = after[usize::from(sign.is_some())..].trim_start_matches(python::is_space);
            if let Some(after) = after.strip_prefix("endraw") {
                let after = after.trim_start_matches(python::is_space);
                let end = self.rest().len() - after.len();
                let text = &self.rest()[..begin];
                let ends = Lexer { at: self.at + end, tokens: Vec::new(), ..*self }.end_of_tag("%}", true);
                if let Some(length) = ends {
                    self.text(text, sign, true);
                    self.skip(end + length);
                    return Ok(());
                }
            }
            from = begin + 2;
        }
        Err(failure_at(line, "syntax error: `raw` does not end"))
    }

    fn tag(&mut self, begin: Token, end: Token, end_text: &str) -> Result<()> {
        let is_block = end == Token::BlockEnd;
        self.push(begin);
        // A brace that is open takes the `}}` of `{{ {'a': {}}}}`.
        let mut open: usize = 0;
        loop {
            if open == 0
                && let Some(length) = self.end_of_tag(end_text, is_block)
            {
                self.push(end);
                self.skip(length);
                return Ok(());
            }
            let Some(char) = self.rest().chars().next() else {
                return Err(failure_at(self.line, "syntax error: a tag does not end"));
            };
            if python::is_space(char) {
                self.skip(char.len_utf8());
            } else if char.is_ascii_digit() {
                self.number()?;
            } else if char.is_alphanumeric() || char == '_' {
                let length = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest().len());
                self.push(Token::Name(self.rest()[..length].into()));
                self.at += length;
            } else if char == '\'' || char == '"' {
                self.string(char)?;
            } else {
                let operator = OPERATORS.iter().find(|operator| self.rest().starts_with(**operator));
                let operator = operator.ok_or_else(|| failure_at(self.line, format!("syntax error at `{char}`")))?;
                match *operator {
                    "(" | "[" | "{" => open += 1,
                    ")" | "]" | "}" => {
                        let left = open.checked_sub(1);
                        open = left.ok_or_else(|| {
                            failure_at(self.line, format!("syntax error: `{operator}` opens nowhere"))
                        })?;
                    }
                    _ => {}
                }
                self.push(Token::Operator(operator));
                self.at += operator.len();
            }
        }
    }

    fn number(&mut self) -> Result<()> {
        let rest = self.rest();
        let digits = |text: &str, radix: u32| -> usize {
            let end = text.find(|c: char| !c.is_digit(radix) && c != '_').unwrap_or(text.len());
            text[..end].trim_end_matches('_').len()
        };
        let radix = match rest.get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => 10,
        };
        if radix != 10 {
            let length = digits(&rest[2..], radix);
            return self.integer(&rest[2..2 + length], radix, 2 + length);
        }
        let whole = digits(rest, 10);
        let mut length = whole;
        // `x.0.1` is an entry of an entry, not a fraction.
        if !self.source[..self.at].ends_with('.') {
            let fraction = rest[length..].strip_prefix('.').map_or(0, |rest| digits(rest, 10));
            length += if fraction > 0 { 1 + fraction } else { 0 };
            if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
                let sign = usize::from(exponent.starts_with(['+', '-']));
                let power = digits(&exponent[sign..], 10);
                length += if power > 0 { 1 + sign + power } else { 0 };
            }
        }
        if length == whole {
            return self.integer(&rest[..whole], 10, whole);
        }
        let text: String = rest[..length].chars().filter(|c| *c != '_').collect();
        let number = text.parse().map_err(|_| failure_at(self.line, format!("syntax error: the number `{text}`")))?;
        self.push(Token::Float(number));
        self.at += length;
        Ok(())
    }

    fn integer(&mut self, digits: &str, radix: u32, length: usize) -> Result<()> {
        let digits: String = digits.chars().filter(|c| *c != '_').collect();
        let number = i64::from_str_radix(&digits, radix);
        let number = number.map_err(|_| failure_at(self.line, "syntax error: a number is too large"))?;
        self.push(Token::Int(number));
        self.at += length;
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<()> {
        let mut escaped = false;
        let end = self.rest()[1..].find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| failure_at(self.line, "syntax error: a string does not end"))?;
        let text = python::unescape(&self.rest()[1..=end]);
        self.push(Token::Str(text));
        self.skip(end + 2);
        Ok(())
    }
}

fn newlines(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32
}
