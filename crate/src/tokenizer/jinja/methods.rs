//! Methods of Python's texts, lists and maps. Those that change a list or map are not there: chat templates run where that
//! is forbidden.

use super::budget::{ListBuilder, TextBuilder};
use super::evaluation::Args;
use super::formatting::{self, FieldName};
use super::interpreter::Interpreter;
use super::value::{Text, Value, equal};
use super::{Result, failure, python};

const TEXT: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];
const LIST: &[&str] = &["count", "index"];
const DICT: &[&str] = &["copy", "get", "items", "keys", "values"];

/// Whether a value has this method.
pub(super) fn exists(value: &Value, name: &str) -> bool {
    match value {
        Value::Str(_) => TEXT.contains(&name),
        Value::List(_) | Value::Tuple(_) => LIST.contains(&name),
        Value::Dict(_) => DICT.contains(&name),
        Value::Loop(_) => matches!(name, "cycle" | "changed"),
        Value::Cycler(_) => matches!(name, "next" | "reset"),
        _ => false,
    }
}

/// Whether a text has letters, all of them of this case.
pub(super) fn has_case(text: &str, upper: bool) -> bool {
    let mut cased = text.chars().filter(|c| c.is_lowercase() || c.is_uppercase()).peekable();
    cased.peek().is_some() && cased.all(|c| c.is_uppercase() == upper)
}

impl<'t> Interpreter<'t> {
    pub(super) fn call_method(&mut self, value: &Value, name: &str, args: Args) -> Result<Value> {
        match value {
            Value::Str(text) => self.call_text_method(text, name, args),
            Value::List(list) | Value::Tuple(list) => {
                let [wanted] = args.bind(name, ["value"])?;
                let wanted = wanted.ok_or_else(|| failure(format!("`{name}` needs a value")))?;
                let mut count = 0;
                for (place, item) in list.items.iter().enumerate() {
                    if equal(item, &wanted, &self.meter)? {
                        if name == "index" {
                            return Ok(Value::Int(place as i64));
                        }
                        count += 1;
                    }
                }
                if name == "index" { Err(failure("the value is not in the list")) } else { Ok(Value::Int(count)) }
            }
            Value::Dict(dict) => match name {
                "get" => {
                    let [key, default] = args.bind(name, ["key", "default"])?;
                    let key = key.ok_or_else(|| failure("`get` needs a key"))?;
                    let key = if key.is_undefined() { return Err(key.undefined_failure()) } else { key };
                    Ok(dict.get(&key, &self.meter)?.cloned().or(default).unwrap_or(Value::None))
                }
                "copy" => Ok(value.clone()),
                part => {
                    let [] = args.bind(name, [])?;
                    self.dict_part(value, part)
                }
            },
            Value::Loop(id) => self.call_loop_method(*id, name, args),
            Value::Cycler(number) => {
                let (items, next) = &mut self.cyclers[*number];
                let current = items.items.get(*next).cloned();
                *next = if name == "next" { (*next + 1) % items.items.len().max(1) } else { 0 };
                Ok(if name == "next" { current.unwrap_or(Value::None) } else { Value::None })
            }
            other => Err(failure(format!("{} has no method `{name}`", other.kind()))),
        }
    }

    pub(super) fn call_text_method(&mut self, text: &Text, name: &str, args: Args) -> Result<Value> {
        match name {
            "format" => return self.format(text, args),
            "join" => {
                let [items] = args.bind(name, ["iterable"])?;
                return self.join_texts(text, &items.ok_or_else(|| failure("`join` needs a list"))?);
            }
            _ => {}
        }
        // What goes through a text by characters takes eight times as long as a copy.
        self.meter.bytes(text.len().saturating_mul(8))?;
        match name {
            "lower" | "upper" | "capitalize" | "title" | "casefold" | "swapcase" => {
                let [] = args.bind(name, [])?;
                self.change_case(text, name)
            }
            "strip" | "lstrip" | "rstrip" => self.strip(text, name, args),
            "split" | "rsplit" => self.split(text, name, args),
            "splitlines" => {
                let [keep_ends] = args.bind(name, ["keepends"])?;
                let keep_ends = keep_ends.is_some_and(|keep| keep.is_true());
                let mut lines = ListBuilder::new(&self.meter)?;
                python::lines(text, keep_ends).try_for_each(|line| lines.push_text(line))?;
                lines.finish()
            }
            "partition" | "rpartition" => {
                let [separator] = args.bind(name, ["sep"])?;
                let separator = needed_text(name, separator)?;
                if separator.is_empty() {
                    return Err(failure("an empty separator"));
                }
                let found =
                    if name == "partition" { text.split_once(&*separator) } else { text.rsplit_once(&*separator) };
                let parts = match (found, name) {
                    (Some((before, after)), _) => [before, &separator, after],
                    (None, "partition") => [text, "", ""],
                    (None, _) => ["", "", text],
                };
                let mut items = ListBuilder::new(&self.meter)?;
                parts.iter().try_for_each(|part| items.push_text(part))?;
                items.finish_tuple()
            }
            "startswith" | "endswith" | "find" | "rfind" | "index" | "rindex" | "count" => {
                self.search(text, name, args)
            }
            "removeprefix" | "removesuffix" => {
                let [affix] = args.bind(name, ["affix"])?;
                let affix = needed_text(name, affix)?;
                let rest = if name == "removeprefix" { text.strip_prefix(&*affix) } else { text.strip_suffix(&*affix) };
                rest.map_or_else(|| Ok(Value::Str(text.clone())), |rest| self.meter.text(rest))
            }
            "replace" => self.replace(text, args),
            "center" | "ljust" | "rjust" | "zfill" => self.pad(text, name, args),
            "expandtabs" => self.expand_tabs(text, args),
            _ => {
                let [] = args.bind(name, [])?;
                // Whether a character can be printed is looked up in a table.
                self.meter.steps(if name == "isprintable" { text.len() as u64 / 4 } else { 0 })?;
                Ok(Value::Bool(is_all(text, name)))
            }
        }
    }

    fn join_texts(&mut self, separator: &Text, items: &Value) -> Result<Value> {
        let items = self.iterate(items)?;
        if let Some(other) = items.items.iter().find(|item| item.as_text().is_none()) {
            return Err(failure(format!("`join` needs texts, and not {}", other.kind())));
        }
        let mut joined = TextBuilder::new(&self.meter)?;
        for (number, item) in items.items.iter().enumerate() {
            joined.steps(1)?;
            joined.push_str(if number > 0 { separator } else { "" })?;
            joined.push_str(item.as_text().map_or("", |text| text))?;
        }
        Ok(joined.finish())
    }

    fn change_case(&self, text: &Text, name: &str) -> Result<Value> {
        // A character may become three.
        let charge = self.meter.charge(text.len().saturating_mul(3))?;
        let changed = match name {
            "upper" => text.to_uppercase(),
            "capitalize" => python::capitalize(text),
            "title" => python::title(text),
            "swapcase" => {
                let mut swapped = String::with_capacity(text.len());
                for c in text.chars() {
                    match c.is_uppercase() {
                        true => swapped.extend(c.to_lowercase()),
                        false => swapped.extend(c.to_uppercase()),
                    }
                }
                swapped
            }
            _ => text.to_lowercase(),
        };
        drop(charge);
        self.meter.text(changed)
    }

    fn pad(&self, text: &Text, name: &str, args: Args) -> Result<Value> {
        let [width, fill] = args.bind(name, ["width", "fillchar"])?;
        let width = width.and_then(|width| width.as_int()).ok_or_else(|| failure(format!("`{name}` needs a width")))?;
        let fill = match fill {
            None if name == "zfill" => '0',
            None => ' ',
            Some(Value::Str(fill)) if fill.count() == 1 => fill.chars().next().unwrap_or(' '),
            Some(_) => return Err(failure(format!("`{name}` fills with one character"))),
        };
        let width = usize::try_from(width).unwrap_or(0);
        let missing = width.saturating_sub(text.count());
        let sign = if name == "zfill" { usize::from(text.starts_with(['+', '-'])) } else { 0 };
        let before = match name {
            "center" => missing / 2 + (missing & width & 1),
            "ljust" => 0,
            _ => missing,
        };
        let mut padded = TextBuilder::new(&self.meter)?;
        padded.push_str(&text[..sign])?;
        padded.push_repeated(fill, before)?;
        padded.push_str(&text[sign..])?;
        padded.push_repeated(fill, missing - before)?;
        Ok(padded.finish())
    }

    fn expand_tabs(&self, text: &Text, args: Args) -> Result<Value> {
        let [size] = args.bind("expandtabs", ["tabsize"])?;
        let size = size.map_or(Some(8), |size| size.as_int());
        let size = usize::try_from(size.ok_or_else(|| failure("`expandtabs` needs a number"))?).unwrap_or(0);
        let mut expanded = TextBuilder::new(&self.meter)?;
        let mut column = 0;
        for c in text.chars() {
            match c {
                '\t' if size > 0 => {
                    let spaces = size - column % size;
                    expanded.push_repeated(' ', spaces)?;
                    column += spaces;
                }
                '\t' => {}
                c => {
                    column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                    expanded.push(c)?;
                }
            }
        }
        Ok(expanded.finish())
    }

    fn format(&mut self, format: &Text, args: Args) -> Result<Value> {
        let mut next = 0;
        let meter = self.meter.clone();
        formatting::braces(format, &meter, &mut |value, field| {
            let missing = || failure("a format needs more values than it is given");
            match (value, field) {
                (None, FieldName::Name(name)) => {
                    let found = args.named.iter().find(|(given, _)| **given == *name);
                    found.map(|(_, value)| value.clone()).ok_or_else(missing)
                }
                (None, FieldName::Index(index)) => args.positional.get(index).cloned().ok_or_else(missing),
                (None, _) => {
                    next += 1;
                    args.positional.get(next - 1).cloned().ok_or_else(missing)
                }
                (Some(value), FieldName::Entry(key)) => {
                    let key = match key.parse() {
                        Ok(index) => Value::Int(index),
                        Err(_) => self.meter.text(key)?,
                    };
                    self.item(&value, &key)
                }
                (Some(value), FieldName::Attribute(name)) => self.attribute(&value, &name.into()),
                (Some(value), _) => Ok(value),
            }
        })
    }
}

pub(super) fn needed_text(name: &str, value: Option<Value>) -> Result<Text> {
    match value {
        Some(Value::Str(text)) => Ok(text),
        Some(value @ Value::Undefined(_)) => Err(value.undefined_failure()),
        Some(other) => Err(failure(format!("`{name}` needs a text, and not {}", other.kind()))),
        None => Err(failure(format!("`{name}` needs a text"))),
    }
}

/// `str.isalpha` and its like.
fn is_all(text: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    match name {
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isascii" => text.is_ascii(),
        "isdecimal" | "isdigit" => all(|c| c.is_ascii_digit() || !c.is_ascii() && c.is_numeric()),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(python::is_space),
        "isprintable" => text.chars().all(python::is_printable),
        "islower" => has_case(text, false),
        "isupper" => has_case(text, true),
        _ => text.chars().any(char::is_alphabetic) && python::title(text) == *text,
    }
}
