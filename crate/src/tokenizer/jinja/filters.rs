//! Filters of texts, numbers and single values. Those of lists are in `sequences`.

use super::budget::TextBuilder;
use super::evaluation::Args;
use super::formatting;
use super::interpreter::Interpreter;
use super::printing::{Json, to_text, write_text};
use super::value::{Text, Value};
use super::{Result, failure, methods, python};

/// Levels that `tojson` may indent by, in characters.
const MAX_JSON_INDENT: usize = 64;

impl<'t> Interpreter<'t> {
    /// `value | name(args)`.
    pub(super) fn filter(&mut self, name: &str, value: Value, args: Args) -> Result<Value> {
        self.meter.steps(1)?;
        match name {
            "default" | "d" => {
                let [other, boolean] = args.bind(name, ["default_value", "boolean"])?;
                let is_missing =
                    value.is_undefined() || boolean.is_some_and(|boolean| boolean.is_true()) && !value.is_true();
                if is_missing { other.map_or_else(|| self.meter.text(""), Ok) } else { Ok(value) }
            }
            "tojson" => self.to_json(&value, args),
            "string" | "safe" => {
                let [] = args.bind(name, [])?;
                to_text(&value, &self.meter)
            }
            "pprint" => {
                let [] = args.bind(name, [])?;
                let mut text = TextBuilder::new(&self.meter)?;
                super::printing::write_repr(&value, &mut text)?;
                Ok(text.finish())
            }
            "int" | "float" | "abs" | "round" => self.number_filter(name, &value, args),
            "attr" => {
                let [attribute] = args.bind(name, ["name"])?;
                let attribute = to_text(&attribute.unwrap_or(Value::None), &self.meter)?;
                match (&value, attribute) {
                    // As in Jinja2, attributes alone: a map's entries are none.
                    (Value::Dict(_), Value::Str(name)) if !methods::exists(&value, &name) => Ok(Value::Undefined(None)),
                    (_, Value::Str(name)) if name.len() < 64 => self.attribute(&value, &name.as_str().into()),
                    _ => Ok(Value::Undefined(None)),
                }
            }
            "lower" | "upper" | "capitalize" | "title" | "trim" | "replace" | "indent" | "truncate" | "center"
            | "wordcount" | "escape" | "e" | "forceescape" | "urlencode" | "format" | "striptags" => {
                let text = to_text(&value, &self.meter)?;
                match &text {
                    Value::Str(text) => self.text_filter(name, text, args),
                    _ => Ok(value),
                }
            }
            _ => self.sequence_filter(name, value, args),
        }
    }

    fn text_filter(&mut self, name: &str, text: &Text, args: Args) -> Result<Value> {
        match name {
            "lower" | "upper" | "capitalize" => {
                let [] = args.bind(name, [])?;
                self.call_text_method(text, name, Args::default())
            }
            "trim" => {
                let [chars] = args.bind(name, ["chars"])?;
                self.call_text_method(text, "strip", Args::of(chars.into_iter().collect()))
            }
            "replace" => {
                let [old, new, count] = args.bind(name, ["old", "new", "count"])?;
                let old = to_text(&old.unwrap_or(Value::Undefined(None)), &self.meter)?;
                let new = to_text(&new.unwrap_or(Value::Undefined(None)), &self.meter)?;
                let count = count.filter(|count| !matches!(count, Value::None));
                self.call_text_method(text, name, Args::of([old, new].into_iter().chain(count).collect()))
            }
            "title" => {
                let [] = args.bind(name, [])?;
                let charge = self.slow_copy(text)?;
                let mut titled = String::with_capacity(text.len());
                for word in text.split_inclusive(|c| python::is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<')) {
                    titled += &python::capitalize(word);
                }
                drop(charge);
                self.meter.text(titled)
            }
            "indent" => self.indent(text, args),
            "truncate" => self.truncate(text, args),
            "center" => {
                let [width] = args.bind(name, ["width"])?;
                let width = width.unwrap_or(Value::Int(80));
                self.call_text_method(text, name, Args::of(vec![width]))
            }
            "wordcount" => {
                self.meter.bytes(text.len().saturating_mul(8))?;
                let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
                Ok(Value::Int(words.count() as i64))
            }
            "escape" | "e" | "forceescape" => {
                let mut escaped = TextBuilder::new(&self.meter)?;
                for c in text.chars() {
                    match c {
                        '&' => escaped.push_str("&amp;")?,
                        '<' => escaped.push_str("&lt;")?,
                        '>' => escaped.push_str("&gt;")?,
                        '"' => escaped.push_str("&#34;")?,
                        '\'' => escaped.push_str("&#39;")?,
                        c => escaped.push(c)?,
                    }
                }
                self.meter.bytes(text.len().saturating_mul(4))?;
                Ok(escaped.finish())
            }
            "urlencode" => {
                self.meter.bytes(text.len().saturating_mul(8))?;
                let mut encoded = TextBuilder::new(&self.meter)?;
                for byte in text.bytes() {
                    match byte {
                        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' | b'/' => {
                            encoded.push(char::from(byte))?;
                        }
                        byte => encoded.push_str(&format!("%{byte:02X}"))?,
                    }
                }
                Ok(encoded.finish())
            }
            "format" => {
                let values = match args.named.is_empty() {
                    true => self.meter.tuple(args.positional)?,
                    false => {
                        let mut entries = Vec::new();
                        for (name, value) in args.named {
                            entries.push((self.meter.text(&*name)?, value));
                        }
                        self.meter.dict(entries)?
                    }
                };
                formatting::percent(text, &values, &self.meter)
            }
            _ => self.strip_tags(text),
        }
    }

    /// Pays for a copy that goes through a text by characters.
    pub(super) fn slow_copy(&self, text: &str) -> Result<super::budget::Charge> {
        self.meter.bytes(text.len().saturating_mul(8))?;
        self.meter.charge(text.len().saturating_mul(2))
    }

    fn indent(&self, text: &Text, args: Args) -> Result<Value> {
        let [width, first, blank] = args.bind("indent", ["width", "first", "blank"])?;
        let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        let (first, blank) = (is_true(first), is_true(blank));
        let indention = match width.unwrap_or(Value::Int(4)) {
            Value::Str(indention) => Value::Str(indention),
            width => {
                let width = width.as_int().ok_or_else(|| failure("`indent` needs a width"))?;
                let mut spaces = TextBuilder::new(&self.meter)?;
                spaces.push_repeated(' ', usize::try_from(width).unwrap_or(0))?;
                spaces.finish()
            }
        };
        let indention = indention.as_text().map_or("", |text| text);
        let mut indented = TextBuilder::new(&self.meter)?;
        self.meter.bytes(text.len().saturating_mul(8))?;
        // Jinja2 adds a newline first, so that a text that ends with one keeps it.
        let ends_open = text.is_empty() || text.chars().next_back().is_some_and(python::is_line_end);
        let lines = python::lines(text, false).chain(ends_open.then_some(""));
        for (number, line) in lines.enumerate() {
            indented.steps(1)?;
            if number > 0 {
                indented.push_str("\n")?;
            }
            if if number == 0 { first } else { blank || !line.is_empty() } {
                indented.push_str(indention)?;
            }
            indented.push_str(line)?;
        }
        Ok(indented.finish())
    }

    fn truncate(&self, text: &Text, args: Args) -> Result<Value> {
        let [length, kill_words, end, leeway] = args.bind("truncate", ["length", "killwords", "end", "leeway"])?;
        let number = |value: Option<Value>, default: i64| match value {
            None | Some(Value::None) => Ok(default),
            Some(value) => value.as_int().ok_or_else(|| failure("`truncate` needs a number")),
        };
        let (length, leeway) = (number(length, 255)?, number(leeway, 5)?);
        let end = end.map_or_else(|| self.meter.text("..."), |end| to_text(&end, &self.meter))?;
        let Value::Str(end) = end else { return Ok(Value::Undefined(None)) };
        if length < end.count() as i64 || leeway < 0 {
            return Err(failure("`truncate` needs a length that is no less than that of its end"));
        }
        self.meter.bytes(text.len())?;
        if text.count() as i64 <= length.saturating_add(leeway) {
            return Ok(Value::Str(text.clone()));
        }
        let kept = &text[..text.offset(length as usize - end.count())];
        let is_whole = kill_words.is_some_and(|kill| kill.is_true());
        let kept = if is_whole { kept } else { kept.rsplit_once(' ').map_or(kept, |(kept, _)| kept) };
        let mut truncated = TextBuilder::new(&self.meter)?;
        truncated.push_str(kept)?;
        truncated.push_str(&end)?;
        Ok(truncated.finish())
    }

    /// Drops comments and tags, and makes white space one space.
    fn strip_tags(&self, text: &str) -> Result<Value> {
        let charge = self.slow_copy(text)?;
        let mut stripped = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("<!--") {
            let Some(end) = rest[start..].find("-->") else { break };
            stripped += &rest[..start];
            rest = &rest[start + end + 3..];
        }
        stripped += rest;
        let mut bare = String::with_capacity(stripped.len());
        let mut rest = stripped.as_str();
        while let Some((before, tag)) = rest.split_once('<') {
            let Some((_, after)) = tag.split_once('>') else { break };
            bare += before;
            rest = after;
        }
        bare += rest;
        let words: Vec<&str> = bare.split(python::is_space).filter(|word| !word.is_empty()).collect();
        let text = words.join(" ");
        drop(charge);
        self.meter.text(text)
    }

    fn number_filter(&self, name: &str, value: &Value, args: Args) -> Result<Value> {
        match name {
            "int" => {
                let [default, base] = args.bind(name, ["default", "base"])?;
                let base = base.and_then(|base| base.as_int()).unwrap_or(10);
                let number = match value {
                    Value::Undefined(_) => return Err(value.undefined_failure()),
                    Value::Float(value) => formatting::whole(*value).ok(),
                    Value::Str(text) => self.parse_int(text, base)?,
                    other => other.as_int(),
                };
                Ok(number.map_or_else(|| default.unwrap_or(Value::Int(0)), Value::Int))
            }
            "float" => {
                let [default] = args.bind(name, ["default"])?;
                let number = match value {
                    Value::Undefined(_) => return Err(value.undefined_failure()),
                    Value::Str(text) => {
                        self.meter.bytes(text.len())?;
                        text.trim_matches(python::is_space).parse().ok()
                    }
                    other => other.as_float(),
                };
                Ok(number.map_or_else(|| default.unwrap_or(Value::Float(0.0)), Value::Float))
            }
            "abs" => {
                let [] = args.bind(name, [])?;
                match value {
                    Value::Float(value) => Ok(Value::Float(value.abs())),
                    other => {
                        let number = other.as_int().ok_or_else(|| failure(format!("`abs` of {}", other.kind())))?;
                        number.checked_abs().map(Value::Int).ok_or_else(|| failure("a number is too large"))
                    }
                }
            }
            _ => {
                let [precision, method] = args.bind(name, ["precision", "method"])?;
                let precision = precision.and_then(|precision| precision.as_int()).unwrap_or(0).clamp(-308, 308) as i32;
                let number = value.as_float().ok_or_else(|| failure(format!("`round` of {}", value.kind())))?;
                let scale = 10f64.powi(precision);
                self.meter.steps((formatting::FLOAT_STEPS + precision.unsigned_abs() as usize / 4) as u64)?;
                let method = method.as_ref().and_then(Value::as_text).map_or("common", |method| method);
                let rounded = match method {
                    "ceil" => (number * scale).ceil() / scale,
                    "floor" => (number * scale).floor() / scale,
                    // A float whose last requested digit is below its resolution stays as it is.
                    "common" if precision >= 0 && 10f64.powi(-precision) < number.abs() * (f64::EPSILON / 4.0) => {
                        number
                    }
                    "common" if precision >= 0 => {
                        // Decimal digits are rounded exactly, halves to even.
                        format!("{number:.*}", precision as usize).parse().unwrap_or(number)
                    }
                    "common" => (number * scale).round_ties_even() / scale,
                    _ => return Err(failure("`round` knows the methods common, ceil and floor")),
                };
                // An integer stays as large as it was written: rounding it to whole numbers changes nothing.
                match value.as_int() {
                    Some(integer) if method == "common" && precision >= 0 => Ok(Value::Int(integer)),
                    _ => Ok(Value::Float(rounded)),
                }
            }
        }
    }

    fn parse_int(&self, text: &str, base: i64) -> Result<Option<i64>> {
        self.meter.bytes(text.len().saturating_mul(4))?;
        let text = text.trim_matches(python::is_space);
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let prefix = match base {
            2 => ["0b", "0B"],
            8 => ["0o", "0O"],
            16 => ["0x", "0X"],
            _ => ["", ""],
        };
        let digits = prefix.iter().find_map(|prefix| digits.strip_prefix(prefix)).unwrap_or(digits);
        if !(2..=36).contains(&base) || digits.len() > 100 || digits.starts_with(['+', '-', '_']) {
            return Ok(None);
        }
        let digits = digits.replace('_', "");
        if let Ok(number) = i64::from_str_radix(&format!("{sign}{digits}"), base as u32) {
            return Ok(Some(number));
        }
        Ok(text.parse().ok().and_then(|number| formatting::whole(number).ok()))
    }

    fn to_json(&self, value: &Value, args: Args) -> Result<Value> {
        let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
        let [ascii_only, indent, separators, sort_keys] = args.bind("tojson", names)?;
        let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        let indent = match indent {
            None | Some(Value::None) => None,
            Some(Value::Str(text)) if text.len() <= MAX_JSON_INDENT => Some(text.as_str().to_owned()),
            Some(width) => {
                let width = width.as_int().filter(|width| *width <= MAX_JSON_INDENT as i64);
                let width = width.ok_or_else(|| failure(format!("`tojson` indents by {MAX_JSON_INDENT} at most")))?;
                Some(" ".repeat(usize::try_from(width).unwrap_or(0)))
            }
        };
        let mut pair = [if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()];
        if let Some(given) = separators.filter(|given| !matches!(given, Value::None)) {
            match given.as_items() {
                Some([Value::Str(item), Value::Str(key)]) if item.len().max(key.len()) <= MAX_JSON_INDENT => {
                    pair = [item.as_str().to_owned(), key.as_str().to_owned()];
                }
                _ => return Err(failure("`tojson` needs two short separators")),
            }
        }
        let [item_separator, key_separator] = pair;
        let json = Json {
            ascii_only: is_true(ascii_only),
            indent,
            item_separator,
            key_separator,
            sort_keys: is_true(sort_keys),
            mark: self.mark,
        };
        let mut text = TextBuilder::new(&self.meter)?;
        json.write(value, 0, &mut text)?;
        Ok(text.finish())
    }

    /// `items | join(separator, attribute)`.
    pub(super) fn join_filter(&mut self, value: &Value, args: Args) -> Result<Value> {
        let [separator, attribute] = args.bind("join", ["d", "attribute"])?;
        let separator = separator.map_or_else(|| self.meter.text(""), |separator| to_text(&separator, &self.meter))?;
        let items = self.iterate(value)?;
        let mut joined = TextBuilder::new(&self.meter)?;
        for (number, item) in items.items.iter().enumerate() {
            joined.steps(1)?;
            if number > 0 {
                write_text(&separator, &mut joined)?;
            }
            match &attribute {
                Some(attribute) => write_text(&self.path(item, attribute)?, &mut joined)?,
                None => write_text(item, &mut joined)?,
            }
        }
        Ok(joined.finish())
    }
}
