//! Values as text: `str` and `repr` of Python, and `json.dumps`.

use std::fmt::Write as _;

use super::budget::{Meter, TextBuilder};
use super::value::Value;
use super::{Result, failure, python};

/// Writes a value as an output tag does.
pub(super) fn write_text(value: &Value, out: &mut TextBuilder) -> Result<()> {
    match value {
        Value::Undefined(_) => Ok(()),
        Value::Str(text) => out.push_str(text),
        other => write_repr(other, out),
    }
}

/// A value as an output tag writes it.
pub(super) fn to_text(value: &Value, meter: &Meter) -> Result<Value> {
    if let Value::Str(_) = value {
        return Ok(value.clone());
    }
    let mut out = TextBuilder::new(meter)?;
    write_text(value, &mut out)?;
    Ok(out.finish())
}

/// Writes Python's `repr`. Lists that share entries are paid for as often as they are written.
pub(super) fn write_repr(value: &Value, out: &mut TextBuilder) -> Result<()> {
    out.steps(1)?;
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&python::repr_float(*value)),
        Value::Str(text) => {
            // Whether a character can be printed is looked up in a table.
            out.steps(text.len() / if text.is_ascii() { 16 } else { 4 })?;
            python::repr_text(text, |part| out.push_str(part))
        }
        Value::List(list) => write_items(&list.items, ["[", "]"], out),
        Value::Tuple(list) => write_items(&list.items, ["(", if list.items.len() == 1 { ",)" } else { ")" }], out),
        Value::Dict(dict) => {
            out.push_str("{")?;
            for (number, (key, value)) in dict.entries.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { ", " })?;
                write_repr(key, out)?;
                out.push_str(": ")?;
                write_repr(value, out)?;
            }
            out.push_str("}")
        }
        other => out.push_str(&format!("<{}>", other.kind())),
    }
}

fn write_items(items: &[Value], brackets: [&str; 2], out: &mut TextBuilder) -> Result<()> {
    out.push_str(brackets[0])?;
    for (number, item) in items.iter().enumerate() {
        out.push_str(if number == 0 { "" } else { ", " })?;
        write_repr(item, out)?;
    }
    out.push_str(brackets[1])
}

/// The options of `json.dumps`.
pub(super) struct Json {
    pub(super) ascii_only: bool,
    /// What each level is indented by; all on one line without it.
    pub(super) indent: Option<String>,
    pub(super) item_separator: String,
    pub(super) key_separator: String,
    pub(super) sort_keys: bool,
    /// A character that is written as it is even where only ASCII is wanted: it marks places in contents.
    pub(super) mark: Option<char>,
}

impl Json {
    pub(super) fn write(&self, value: &Value, level: usize, out: &mut TextBuilder) -> Result<()> {
        out.steps(1)?;
        match value {
            Value::None => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&float(*value)),
            Value::Str(text) => self.write_string(text, out),
            Value::List(list) | Value::Tuple(list) => {
                self.write_group(["[", "]"], list.items.len(), level, out, |number, out| {
                    self.write(&list.items[number], level + 1, out)
                })
            }
            Value::Dict(dict) => {
                let mut entries = Vec::with_capacity(dict.entries.len());
                for (key, value) in &dict.entries {
                    out.steps(1)?;
                    entries.push((self.key(key)?, value));
                }
                if self.sort_keys {
                    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                }
                self.write_group(["{", "}"], entries.len(), level, out, |number, out| {
                    let (key, value) = &entries[number];
                    self.write_string(key, out)?;
                    out.push_str(&self.key_separator)?;
                    self.write(value, level + 1, out)
                })
            }
            Value::Undefined(_) => Err(value.undefined_failure()),
            other => Err(failure(format!("{} has no form in JSON", other.kind()))),
        }
    }

    fn write_group(
        &self,
        brackets: [&str; 2],
        length: usize,
        level: usize,
        out: &mut TextBuilder,
        write: impl Fn(usize, &mut TextBuilder) -> Result<()>,
    ) -> Result<()> {
        out.push_str(brackets[0])?;
        for number in 0..length {
            out.push_str(if number == 0 { "" } else { &self.item_separator })?;
            self.write_line_break(level + 1, out)?;
            write(number, out)?;
        }
        if length > 0 {
            self.write_line_break(level, out)?;
        }
        out.push_str(brackets[1])
    }

    fn write_line_break(&self, level: usize, out: &mut TextBuilder) -> Result<()> {
        if let Some(indent) = &self.indent {
            out.push_str("\n")?;
            for _ in 0..level {
                out.push_str(indent)?;
            }
        }
        Ok(())
    }

    /// The text of a map's key.
    fn key<'v>(&self, key: &'v Value) -> Result<std::borrow::Cow<'v, str>> {
        Ok(match key {
            Value::Str(text) => text.as_str().into(),
            Value::None => "null".into(),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Int(value) => value.to_string().into(),
            Value::Float(value) => float(*value).into(),
            other => return Err(failure(format!("{} cannot be a key in JSON", other.kind()))),
        })
    }

    fn write_string(&self, text: &str, out: &mut TextBuilder) -> Result<()> {
        out.push_str("\"")?;
        let mut start = 0;
        for (at, c) in text.char_indices() {
            let escape = match c {
                '"' | '\\' => {
                    out.push_str(&text[start..at])?;
                    out.push_str("\\")?;
                    start = at;
                    continue;
                }
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".into(),
                '\t' => "\\t".into(),
                '\u{8}' => "\\b".into(),
                '\u{c}' => "\\f".into(),
                c if u32::from(c) < 0x20 => format!("\\u{:04x}", u32::from(c)),
                c if self.ascii_only && !c.is_ascii() && Some(c) != self.mark => {
                    let mut escape = String::new();
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a string cannot fail.
                        let _ = write!(escape, "\\u{unit:04x}");
                    }
                    escape
                }
                _ => continue,
            };
            out.push_str(&text[start..at])?;
            start = at + c.len_utf8();
            out.push_str(&escape)?;
        }
        out.push_str(&text[start..])?;
        out.push_str("\"")
    }
}

fn float(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".into(),
        value if value.is_infinite() && value > 0.0 => "Infinity".into(),
        value if value.is_infinite() => "-Infinity".into(),
        value => python::repr_float(value),
    }
}
