//! Python's two ways to format: `'%s: %d' % (a, b)` and `'{}: {:d}'.format(a, b)`.

use super::budget::{Meter, TextBuilder};
use super::printing::{write_repr, write_text};
use super::value::{Text, Value};
use super::{Result, failure, python};

/// Digits after the point that may be asked for: more than any float has that differ from zero.
const MAX_PRECISION: usize = 400;

/// What writing a float with all its digits takes.
pub(super) const FLOAT_STEPS: usize = 8;

/// How a field is laid out.
#[derive(Debug, Clone)]
struct FieldFormat {
    fill: char,
    /// `<`, `>`, `^` or `=` (between sign and digits).
    align: Option<char>,
    plus: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
}

impl Default for FieldFormat {
    fn default() -> Self {
        Self { fill: ' ', align: None, plus: None, alternate: false, width: 0, grouping: None, precision: None }
    }
}

impl FieldFormat {
    /// Writes `sign` and `body` with what fills the width.
    fn pad(&self, sign: &str, body: &str, default: char, out: &mut TextBuilder) -> Result<()> {
        let length = sign.len() + body.chars().count();
        let missing = self.width.saturating_sub(length);
        let (before, middle, after) = match self.align.unwrap_or(default) {
            '<' => (0, 0, missing),
            '^' => (missing / 2, 0, missing - missing / 2),
            '=' => (0, missing, 0),
            _ => (missing, 0, 0),
        };
        out.push_repeated(self.fill, before)?;
        out.push_str(sign)?;
        out.push_repeated(self.fill, middle)?;
        out.push_str(body)?;
        out.push_repeated(self.fill, after)
    }

    fn write_text(&self, text: &str, default: char, out: &mut TextBuilder) -> Result<()> {
        let end = self.precision.and_then(|count| text.char_indices().nth(count)).map_or(text.len(), |(end, _)| end);
        self.pad("", &text[..end], default, out)
    }

    fn write_int(&self, value: i64, kind: char, out: &mut TextBuilder) -> Result<()> {
        let size = value.unsigned_abs();
        let (prefix, digits) = match kind {
            'x' => ("0x", format!("{size:x}")),
            'X' => ("0X", format!("{size:X}")),
            'o' => ("0o", format!("{size:o}")),
            'b' => ("0b", format!("{size:b}")),
            _ => ("", size.to_string()),
        };
        let prefix = if self.alternate { prefix } else { "" };
        let sign = self.sign(value < 0) + prefix;
        self.pad(&sign, &self.group(&digits, if prefix.is_empty() && kind == 'd' { 3 } else { 4 }), '>', out)
    }

    fn write_float(&self, value: f64, kind: char, out: &mut TextBuilder) -> Result<()> {
        let precision = self.precision.unwrap_or(6).min(MAX_PRECISION);
        out.steps(FLOAT_STEPS + precision / 4)?;
        let size = value.abs();
        let text = match kind.to_ascii_lowercase() {
            _ if !size.is_finite() => python::repr_float(size),
            'e' => python::exponent_float(size, precision),
            'f' | '%' => format!("{:.precision$}", if kind == '%' { size * 100.0 } else { size }),
            'r' if self.precision.is_none() => python::repr_float(size),
            _ => python::general_float(size, precision, self.alternate),
        };
        let mut text = if kind.is_ascii_uppercase() { text.to_uppercase() } else { text };
        let whole = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.replace_range(..whole, &self.group(&text[..whole], 3));
        if kind == '%' {
            text.push('%');
        }
        self.pad(&self.sign(value.is_sign_negative() && !value.is_nan()), &text, '>', out)
    }

    fn sign(&self, negative: bool) -> String {
        if negative { "-".into() } else { self.plus.map(String::from).unwrap_or_default() }
    }

    fn group(&self, digits: &str, size: usize) -> String {
        let Some(separator) = self.grouping else { return digits.to_owned() };
        let mut grouped = String::new();
        for (at, digit) in digits.char_indices() {
            if at > 0 && (digits.len() - at).is_multiple_of(size) {
                grouped.push(separator);
            }
            grouped.push(digit);
        }
        grouped
    }
}

/// Takes a decimal number off the front of a text.
fn take_number(text: &mut &str) -> Result<Option<usize>> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().map(Some).map_err(|_| failure("a width is too large"))
}

/// `format % values`, where `values` is a tuple, a map, or one value.
pub(super) fn percent(format: &Text, values: &Value, meter: &Meter) -> Result<Value> {
    let positional = match values {
        Value::Tuple(list) => &list.items[..],
        other => std::slice::from_ref(other),
    };
    let mut next = positional.iter();
    let mut take = || next.next().ok_or_else(|| failure("a format needs more values than it is given"));
    let mut out = TextBuilder::new(meter)?;
    let mut rest = format.as_str();
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at])?;
        out.steps(1)?;
        rest = &rest[at + 1..];
        let mut named = None;
        if let Some(after) = rest.strip_prefix('(') {
            let (name, after) = after.split_once(')').ok_or_else(|| failure("a format ends within a name"))?;
            let Value::Dict(dict) = values else { return Err(failure("a format with names needs a map")) };
            let value = dict.get_text(name);
            named = Some(value.ok_or_else(|| failure(format!("a format needs the value `{name}`")))?);
            rest = after;
        }
        let mut layout = percent_flags(&mut rest);
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            layout.width = width_of(take()?)?;
        } else {
            layout.width = take_number(&mut rest)?.unwrap_or(0);
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            layout.precision = Some(match rest.strip_prefix('*') {
                Some(after) => {
                    rest = after;
                    width_of(take()?)?
                }
                None => take_number(&mut rest)?.unwrap_or(0),
            });
        }
        rest = rest.trim_start_matches(['l', 'h', 'L']);
        let kind = rest.chars().next().ok_or_else(|| failure("a format is incomplete"))?;
        rest = &rest[kind.len_utf8()..];
        if kind == '%' {
            out.push_str("%")?;
            continue;
        }
        let value = if let Some(value) = named { value } else { take()? };
        percent_field(&layout, kind, value, meter, &mut out)?;
    }
    out.push_str(rest)?;
    if next.next().is_some() && !matches!(values, Value::Dict(_) | Value::List(_)) {
        return Err(failure("a format is given more values than it has places"));
    }
    Ok(out.finish())
}

fn percent_flags(rest: &mut &str) -> FieldFormat {
    let mut layout = FieldFormat::default();
    while let Some(flag) = rest.chars().next() {
        match flag {
            '-' => (layout.align, layout.fill) = (Some('<'), ' '),
            '0' if layout.align != Some('<') => (layout.align, layout.fill) = (Some('='), '0'),
            '0' => {}
            '+' => layout.plus = Some('+'),
            ' ' if layout.plus.is_none() => layout.plus = Some(' '),
            ' ' => {}
            '#' => layout.alternate = true,
            _ => break,
        }
        *rest = &rest[1..];
    }
    layout
}

fn width_of(value: &Value) -> Result<usize> {
    let width = value.as_int().ok_or_else(|| failure("a width is to be an integer"))?;
    usize::try_from(width).map_err(|_| failure("a width is to be a positive integer"))
}

fn percent_field(layout: &FieldFormat, kind: char, value: &Value, meter: &Meter, out: &mut TextBuilder) -> Result<()> {
    match kind {
        's' | 'r' | 'a' => {
            let mut text = TextBuilder::new(meter)?;
            if kind == 's' { write_text(value, &mut text) } else { write_repr(value, &mut text) }?;
            let fill = FieldFormat { fill: ' ', align: layout.align.filter(|align| *align == '<'), ..layout.clone() };
            fill.write_text(text.as_str(), '>', out)
        }
        'c' => match (value, value.as_int()) {
            (Value::Str(text), _) if text.count() == 1 => layout.write_text(text, '>', out),
            (_, Some(code)) => {
                let char = u32::try_from(code).ok().and_then(char::from_u32);
                let char = char.ok_or_else(|| failure("`%c` of a number that is no character"))?;
                layout.write_text(char.encode_utf8(&mut [0; 4]), '>', out)
            }
            _ => Err(failure("`%c` needs one character")),
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let number = match value {
                Value::Float(value) if matches!(kind, 'd' | 'i' | 'u') => whole(*value)?,
                value => value.as_int().ok_or_else(|| failure(format!("`%{kind}` of {}", value.kind())))?,
            };
            // `%.3d` pads with zeros to three digits.
            let digits = layout.precision.unwrap_or(0).min(MAX_PRECISION);
            if digits == 0 {
                return layout.write_int(number, if matches!(kind, 'i' | 'u') { 'd' } else { kind }, out);
            }
            let zeros = FieldFormat { fill: '0', align: Some('='), width: digits, ..FieldFormat::default() };
            let mut text = TextBuilder::new(meter)?;
            let radix_kind = if matches!(kind, 'i' | 'u') { 'd' } else { kind };
            zeros.write_int(i64::try_from(number.unsigned_abs()).unwrap_or(i64::MAX), radix_kind, &mut text)?;
            layout.pad(&layout.sign(number < 0), text.as_str(), '>', out)
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let number = value.as_float().ok_or_else(|| failure(format!("`%{kind}` of {}", value.kind())))?;
            layout.write_float(number, kind, out)
        }
        other => Err(failure(format!("the format has the unknown letter `{other}`"))),
    }
}

/// A float cut to an integer.
pub(super) fn whole(value: f64) -> Result<i64> {
    // Above 2^63 there is no i64; this is the largest float below.
    if value.is_nan() || value.abs() > 9_223_372_036_854_774_784.0 {
        return Err(failure("a number is too large"));
    }
    Ok(value as i64)
}

/// What a replacement field names.
pub(super) enum FieldName<'f> {
    Next,
    Index(usize),
    Name(&'f str),
    /// An attribute of what came before.
    Attribute(&'f str),
    /// An entry of what came before.
    Entry(&'f str),
}

/// `format.format(…)`. `look_up` finds a value: the first part of a path is a field, with nothing before it.
pub(super) fn braces(
    format: &str,
    meter: &Meter,
    look_up: &mut dyn FnMut(Option<Value>, FieldName<'_>) -> Result<Value>,
) -> Result<Value> {
    let mut out = TextBuilder::new(meter)?;
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at])?;
        out.steps(1)?;
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace)?;
            rest = after;
            continue;
        }
        let end = rest.find('}').filter(|_| brace == "{").ok_or_else(|| failure("a format has a single brace"))?;
        let field = &rest[..end];
        rest = &rest[end + 1..];
        if field.contains('{') {
            return Err(failure("a format has a field within a field"));
        }
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (path, conversion) = field.split_once('!').unwrap_or((field, ""));
        let mut value = resolve(path, look_up)?;
        if !conversion.is_empty() {
            let mut text = TextBuilder::new(meter)?;
            if conversion == "s" { write_text(&value, &mut text) } else { write_repr(&value, &mut text) }?;
            value = text.finish();
        }
        brace_field(&value, spec, meter, &mut out)?;
    }
    out.push_str(rest)?;
    Ok(out.finish())
}

fn resolve(path: &str, look_up: &mut dyn FnMut(Option<Value>, FieldName<'_>) -> Result<Value>) -> Result<Value> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (first, mut rest) = path.split_at(end);
    let mut value = look_up(
        None,
        match first.parse() {
            Ok(index) => FieldName::Index(index),
            Err(_) if first.is_empty() => FieldName::Next,
            Err(_) => FieldName::Name(first),
        },
    )?;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (key, after) = after.split_once(']').ok_or_else(|| failure("a format has a single bracket"))?;
            value = look_up(Some(value), FieldName::Entry(key))?;
            rest = after;
        } else {
            let after = rest.strip_prefix('.').ok_or_else(|| failure("a format has a field without a dot"))?;
            let (name, after) = after.split_at(after.find(['.', '[']).unwrap_or(after.len()));
            value = look_up(Some(value), FieldName::Attribute(name))?;
            rest = after;
        }
    }
    Ok(value)
}

/// `[[fill]align][sign][#][0][width][grouping][.precision][kind]`
fn brace_field(value: &Value, spec: &str, meter: &Meter, out: &mut TextBuilder) -> Result<()> {
    let mut layout = FieldFormat::default();
    let mut rest = spec;
    let mut chars = rest.chars();
    let (first, second) = (chars.next(), chars.next());
    let is_align = |c: &Option<char>| matches!(c, Some('<' | '>' | '^' | '='));
    if let (Some(fill), true) = (first, is_align(&second)) {
        (layout.fill, layout.align) = (fill, second);
        rest = chars.as_str();
    } else if is_align(&first) {
        layout.align = first;
        rest = &rest[1..];
    }
    if let Some(sign @ ('+' | '-' | ' ')) = rest.chars().next() {
        layout.plus = Some(sign).filter(|sign| *sign != '-');
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('#') {
        layout.alternate = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('0') {
        layout.fill = '0';
        layout.align = layout.align.or(Some('='));
        rest = after;
    }
    layout.width = take_number(&mut rest)?.unwrap_or(0);
    if let Some(separator @ (',' | '_')) = rest.chars().next() {
        layout.grouping = Some(separator);
        rest = &rest[1..];
    }
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        layout.precision = take_number(&mut rest)?;
    }
    let kind = rest.chars().next();
    if rest.chars().nth(1).is_some() {
        return Err(failure("a format has an unknown specification"));
    }
    match (value, kind) {
        (Value::Int(number), None | Some('d' | 'n')) => layout.write_int(*number, 'd', out),
        (Value::Bool(_) | Value::Int(_), Some(kind @ ('d' | 'x' | 'X' | 'o' | 'b'))) => {
            layout.write_int(value.as_int().unwrap_or(0), kind, out)
        }
        (Value::Int(_) | Value::Float(_), Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'))) => {
            layout.write_float(value.as_float().unwrap_or(0.0), kind, out)
        }
        (Value::Float(number), None) => layout.write_float(*number, 'r', out),
        (value, None | Some('s')) => {
            let mut text = TextBuilder::new(meter)?;
            write_text(value, &mut text)?;
            layout.write_text(text.as_str(), '<', out)
        }
        (value, Some(kind)) => Err(failure(format!("`{kind}` cannot format {}", value.kind()))),
    }
}
