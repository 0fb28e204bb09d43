//! How Python writes and reads texts and numbers.

use std::sync::LazyLock;

use regex::Regex;

/// What `str.strip` and `\s` take as white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// What ends a line for `str.splitlines`; `\r\n` is one end.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `str.splitlines`.
pub(super) fn lines(text: &str, keep_ends: bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((end, char)) = rest.char_indices().find(|(_, c)| is_line_end(*c)) else {
            return Some(std::mem::take(&mut rest));
        };
        let mut after = end + char.len_utf8();
        if rest[end..].starts_with("\r\n") {
            after += 1;
        }
        let line = &rest[..if keep_ends { after } else { end }];
        rest = &rest[after..];
        Some(line)
    })
}

/// A string literal without its quotes. Unknown escapes stay, as in Python.
pub(super) fn unescape(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(char) = rest.chars().next() else { break };
        let after = &rest[char.len_utf8()..];
        let (value, length) = match char {
            '\n' => (None, 0),
            'n' => (Some('\n'), 0),
            't' => (Some('\t'), 0),
            'r' => (Some('\r'), 0),
            'a' => (Some('\u{7}'), 0),
            'b' => (Some('\u{8}'), 0),
            'f' => (Some('\u{c}'), 0),
            'v' => (Some('\u{b}'), 0),
            '\\' | '\'' | '"' => (Some(char), 0),
            '0'..='7' => {
                let length = after.bytes().take(2).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                (code(&rest[..1 + length], 8), length)
            }
            'x' | 'u' | 'U' => {
                let digits = match char {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let hex = after.get(..digits).and_then(|hex| code(hex, 16));
                if hex.is_none() {
                    text.push('\\');
                }
                hex.map_or((Some(char), 0), |c| (Some(c), digits))
            }
            _ => {
                text.push('\\');
                (Some(char), 0)
            }
        };
        text.extend(value);
        rest = &after[length..];
    }
    text.push_str(rest);
    text
}

fn code(digits: &str, radix: u32) -> Option<char> {
    let all = digits.chars().all(|c| c.is_digit(radix));
    all.then(|| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32))?
}

/// `str.isprintable` of a character. Private-use characters count, unlike in Python: one of them marks the places of
/// contents in a prompt, and has to come through.
pub(super) fn is_printable(c: char) -> bool {
    static UNPRINTABLE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[\p{Cc}\p{Cf}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]").ok());
    match c {
        ' '..='~' => true,
        '\u{0}'..='\u{9f}' => false,
        _ => UNPRINTABLE.as_ref().is_none_or(|pattern| !pattern.is_match(c.encode_utf8(&mut [0; 4]))),
    }
}

/// `repr` of a string, piece by piece.
pub(super) fn repr_text<E>(text: &str, mut write: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let quote_text = if quote == '"' { "\"" } else { "'" };
    write(quote_text)?;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if c != quote && c != '\\' && is_printable(c) {
            continue;
        }
        write(&text[start..at])?;
        if c == quote || c == '\\' {
            write("\\")?;
            start = at;
            continue;
        }
        start = at + c.len_utf8();
        let escape = match c {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".into(),
            '\t' => "\\t".into(),
            c if u32::from(c) < 0x100 => format!("\\x{:02x}", u32::from(c)),
            c if u32::from(c) < 0x10000 => format!("\\u{:04x}", u32::from(c)),
            c => format!("\\U{:08x}", u32::from(c)),
        };
        write(&escape)?;
    }
    write(&text[start..])?;
    write(quote_text)
}

/// `repr` of a float: the shortest digits that read back as it, with an exponent below 1e-4 and from 1e16.
pub(super) fn repr_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// A float as `%e` writes it.
pub(super) fn exponent_float(value: f64, precision: usize) -> String {
    let scientific = format!("{value:.precision$e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// A float as `%g` writes it: `precision` digits that count, without zeros at the end unless `alternate`.
pub(super) fn general_float(value: f64, precision: usize, alternate: bool) -> String {
    let precision = precision.max(1);
    let scientific = format!("{value:.*e}", precision - 1);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let strip = |text: String| match text.contains('.') && !alternate {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    if exponent < -4 || exponent >= precision as i32 {
        let text = exponent_float(value, precision - 1);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", strip(digits.to_owned()));
    }
    strip(format!("{value:.*}", (precision as i32 - 1 - exponent).max(0) as usize))
}

/// `str.title`: the first letter of each run of letters is large.
pub(super) fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        match in_word {
            true => titled.extend(c.to_lowercase()),
            false => titled.extend(c.to_uppercase()),
        }
        in_word = c.is_alphabetic();
    }
    titled
}

/// `str.capitalize`.
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    first + &chars.as_str().to_lowercase()
}
