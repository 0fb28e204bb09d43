//! The methods of texts that look for others: `split`, `strip`, `find`, `replace` and their like.

use super::budget::{ListBuilder, TextBuilder};
use super::evaluation::Args;
use super::interpreter::Interpreter;
use super::methods::needed_text;
use super::value::{Text, Value};
use super::{Result, failure, python};

impl<'t> Interpreter<'t> {
    pub(super) fn strip(&self, text: &Text, name: &str, args: Args) -> Result<Value> {
        let [chars] = args.bind(name, ["chars"])?;
        let chars = match chars {
            None | Some(Value::None) => None,
            Some(Value::Str(chars)) => {
                // Each character is looked for among these.
                self.meter.steps((text.len().saturating_mul(chars.len()) / 64) as u64)?;
                Some(chars)
            }
            Some(other) => return Err(failure(format!("`{name}` of {}", other.kind()))),
        };
        let drops = |c: char| chars.as_ref().map_or_else(|| python::is_space(c), |chars| chars.contains(c));
        let mut kept: &str = text;
        if name != "rstrip" {
            kept = kept.trim_start_matches(drops);
        }
        if name != "lstrip" {
            kept = kept.trim_end_matches(drops);
        }
        if kept.len() == text.len() { Ok(Value::Str(text.clone())) } else { self.meter.text(kept) }
    }

    pub(super) fn split(&self, text: &Text, name: &str, args: Args) -> Result<Value> {
        let [separator, most] = args.bind(name, ["sep", "maxsplit"])?;
        let most = match most {
            None => None,
            Some(most) => {
                let most = most.as_int().ok_or_else(|| failure(format!("`{name}` needs a number")))?;
                usize::try_from(most).ok()
            }
        };
        let separator = separator.filter(|separator| !matches!(separator, Value::None));
        let mut parts = ListBuilder::new(&self.meter)?;
        let Some(separator) = separator else {
            return self.split_at_space(text, most, name == "rsplit");
        };
        let separator = needed_text(name, Some(separator))?;
        if separator.is_empty() {
            return Err(failure("an empty separator"));
        }
        let limit = most.map_or(usize::MAX, |most| most.saturating_add(1));
        if name == "split" {
            text.splitn(limit, &*separator).try_for_each(|part| parts.push_text(part))?;
            return parts.finish();
        }
        text.rsplitn(limit, &*separator).try_for_each(|part| parts.push_text(part))?;
        self.reversed(parts)
    }

    fn reversed(&self, parts: ListBuilder) -> Result<Value> {
        let mut reversed = ListBuilder::new(&self.meter)?;
        let parts = parts.finish()?;
        parts.as_items().unwrap_or_default().iter().rev().try_for_each(|part| reversed.push(part.clone()))?;
        reversed.finish()
    }

    /// Runs of white space separate, and none is left at the ends.
    fn split_at_space(&self, text: &str, most: Option<usize>, from_end: bool) -> Result<Value> {
        let mut parts = ListBuilder::new(&self.meter)?;
        let mut rest = text.trim_matches(python::is_space);
        while !rest.is_empty() {
            let is_full = most.is_some_and(|most| parts.len() >= most);
            let cut = match from_end {
                _ if is_full => None,
                true => rest.rfind(python::is_space),
                false => rest.find(python::is_space),
            };
            let Some(cut) = cut else {
                parts.push_text(if is_full { with_outer_space(text, rest, from_end) } else { rest })?;
                break;
            };
            if from_end {
                parts.push_text(rest[cut..].trim_start_matches(python::is_space))?;
                rest = rest[..cut].trim_end_matches(python::is_space);
            } else {
                parts.push_text(&rest[..cut])?;
                rest = rest[cut..].trim_start_matches(python::is_space);
            }
        }
        if from_end { self.reversed(parts) } else { parts.finish() }
    }

    pub(super) fn search(&self, text: &Text, name: &str, args: Args) -> Result<Value> {
        let [wanted, start, end] = args.bind(name, ["sub", "start", "end"])?;
        let bounds = [start.unwrap_or(Value::None), end.unwrap_or(Value::None), Value::None];
        let is_whole = bounds.iter().all(|bound| matches!(bound, Value::None));
        let begin = match &bounds[0] {
            Value::None => 0,
            bound => {
                let count = text.count() as i64;
                let bound = bound.as_int().ok_or_else(|| failure(format!("`{name}` needs numbers")))?;
                if bound < 0 { bound.saturating_add(count).max(0) } else { bound.min(count) }
            }
        };
        let part = match is_whole {
            true => Value::Str(text.clone()),
            false => super::operators::slice(&Value::Str(text.clone()), bounds, &self.meter)?,
        };
        let part = needed_text(name, Some(part))?;
        if matches!(name, "startswith" | "endswith") {
            let one = |wanted: &Value| {
                let wanted = needed_text(name, Some(wanted.clone()))?;
                Ok(if name == "startswith" { part.starts_with(&*wanted) } else { part.ends_with(&*wanted) })
            };
            return Ok(Value::Bool(match &wanted {
                Some(Value::Tuple(several)) => {
                    let mut any = false;
                    for wanted in &several.items {
                        self.meter.steps(1)?;
                        any = any || one(wanted)?;
                    }
                    any
                }
                wanted => one(wanted.as_ref().unwrap_or(&Value::None))?,
            }));
        }
        let wanted = needed_text(name, wanted)?;
        if name == "count" {
            // Between all characters, where there is nothing to look for.
            return Ok(Value::Int(match wanted.is_empty() {
                true => part.count() as i64 + 1,
                false => part.matches(&*wanted).count() as i64,
            }));
        }
        let found = if name.starts_with('r') { part.rfind(&*wanted) } else { part.find(&*wanted) };
        match found {
            Some(offset) => Ok(Value::Int(begin + part[..offset].chars().count() as i64)),
            None if name.ends_with("find") => Ok(Value::Int(-1)),
            None => Err(failure("the text is not found")),
        }
    }

    pub(super) fn replace(&self, text: &Text, args: Args) -> Result<Value> {
        let [old, new, count] = args.bind("replace", ["old", "new", "count"])?;
        let (old, new) = (needed_text("replace", old)?, needed_text("replace", new)?);
        let most = match count {
            None => usize::MAX,
            Some(count) => {
                let count = count.as_int().ok_or_else(|| failure("`replace` needs a number"))?;
                usize::try_from(count).unwrap_or(usize::MAX)
            }
        };
        let mut replaced = TextBuilder::new(&self.meter)?;
        let mut done = 0;
        for (at, _) in text.match_indices(&*old).take(most) {
            replaced.steps(1)?;
            replaced.push_str(&text[done..at])?;
            replaced.push_str(&new)?;
            done = at + old.len();
        }
        replaced.push_str(&text[done..])?;
        Ok(replaced.finish())
    }
}

/// The last part of a split that ends early keeps the white space at the text's end (or start).
fn with_outer_space<'t>(text: &'t str, rest: &str, from_end: bool) -> &'t str {
    if from_end {
        let leading = text.len() - text.trim_start_matches(python::is_space).len();
        return &text[..leading + rest.len()];
    }
    let end = text.trim_end_matches(python::is_space).len();
    &text[end - rest.len()..]
}
