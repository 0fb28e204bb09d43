//! Rust files, taken apart just far enough to ask what their code says, without comments, string literals and tests.

use std::ops::Range;

/// One file.
pub struct RustSource {
    /// The code, byte for byte where it was. Comments, characters, tests, and strings between their quotes are blank.
    pub code: String,
    /// The text of every string literal, as it is written.
    pub strings: Vec<String>,
}

impl RustSource {
    /// Takes a file apart.
    pub fn new(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        let mut strings = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let (length, kind) = token(&text[at..], text[..at].chars().next_back());
            if kind != Token::Code {
                blank(&mut code, at..at + length);
            }
            if kind == Token::String {
                (code[at], code[at + length - 1]) = (b'"', b'"');
                strings.push(at..at + length);
            }
            at += length;
        }
        let code = String::from_utf8(code).unwrap();
        let tests: Vec<_> = blocks(&code, "#[cfg(test)]\nmod ").collect();
        strings.retain(|string| !tests.iter().any(|test| test.contains(&string.start)));
        let strings = strings.into_iter().map(|range| text[range].to_owned()).collect();
        Self { code: without(&code, &tests), strings }
    }

    /// The code that runs: without what is evaluated while compiling.
    pub fn run_time_code(&self) -> String {
        let consts: Vec<_> = ["const {", "const _: () = {"].into_iter().flat_map(|o| blocks(&self.code, o)).collect();
        without(&self.code, &consts)
    }
}

#[derive(PartialEq)]
enum Token {
    Code,
    Comment,
    String,
    Character,
}

/// Length and kind of the token that `rest` starts with; of code, one character at a time.
fn token(rest: &str, before: Option<char>) -> (usize, Token) {
    let up_to = |from: usize, close: &str| rest[from..].find(close).map_or(rest.len(), |at| from + at + close.len());
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Token::Comment);
    }
    if rest.starts_with("/*") {
        return (up_to(2, "*/"), Token::Comment);
    }
    // In `for"`, r is no prefix.
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some((hashes, open)) = raw_string(rest) {
        return (up_to(open, &format!("\"{}", "#".repeat(hashes))), Token::String);
    }
    let mut chars = rest.char_indices();
    match (chars.next(), chars.next(), chars.next()) {
        (Some((_, '"')), ..) => (1 + escaped_up_to(&rest[1..], '"'), Token::String),
        // A lifetime has no second quote there.
        (Some((_, '\'')), Some((_, '\\')), _) => (1 + escaped_up_to(&rest[1..], '\''), Token::Character),
        (Some((_, '\'')), Some(_), Some((at, '\''))) => (at + 1, Token::Character),
        (Some((_, c)), ..) => (c.len_utf8(), Token::Code),
        (None, ..) => (0, Token::Code),
    }
}

/// The number of hashes, and where the text starts, of the raw string that `rest` starts with.
fn raw_string(rest: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let hashes = rest[prefix.len()..].chars().take_while(|&c| c == '#').count();
    let open = prefix.len() + hashes;
    rest[open..].starts_with('"').then_some((hashes, open + 1))
}

/// Bytes up to and with a quote that no backslash precedes.
fn escaped_up_to(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// From each place where `opener` stands to the end of the block that opens at or after it, or to a semicolon before that.
fn blocks(code: &str, opener: &str) -> impl Iterator<Item = Range<usize>> {
    code.match_indices(opener).map(move |(start, _)| {
        let mut depth = 0;
        let end = code[start..].char_indices().find(|&(_, c)| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0 && (c == '}' || c == ';')
        });
        start..end.map_or(code.len(), |(at, c)| start + at + c.len_utf8())
    })
}

fn without(code: &str, ranges: &[Range<usize>]) -> String {
    let mut code = code.as_bytes().to_vec();
    ranges.iter().for_each(|range| blank(&mut code, range.clone()));
    String::from_utf8(code).unwrap()
}

fn blank(code: &mut [u8], range: Range<usize>) {
    code[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}
