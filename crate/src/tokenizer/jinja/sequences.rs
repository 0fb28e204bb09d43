//! Filters of lists and maps.

use super::budget::ListBuilder;
use super::evaluation::Args;
use super::interpreter::Interpreter;
use super::names::Kind;
use super::value::{Key, Value, equal, order, sort};
use super::{Result, failure, operators};

impl<'t> Interpreter<'t> {
    pub(super) fn sequence_filter(&mut self, name: &str, value: Value, args: Args) -> Result<Value> {
        match name {
            "length" | "count" => {
                let [] = args.bind(name, [])?;
                self.length(&value)
            }
            "first" => {
                let [] = args.bind(name, [])?;
                if let Value::Str(text) = &value {
                    return Ok(
                        operators::item(&Value::Str(text.clone()), 0, &self.meter)?.unwrap_or(Value::Undefined(None))
                    );
                }
                Ok(self.iterate(&value)?.items.first().cloned().unwrap_or(Value::Undefined(None)))
            }
            "last" => {
                let [] = args.bind(name, [])?;
                if let Value::Str(text) = &value {
                    return Ok(
                        operators::item(&Value::Str(text.clone()), -1, &self.meter)?.unwrap_or(Value::Undefined(None))
                    );
                }
                Ok(self.iterate(&value)?.items.last().cloned().unwrap_or(Value::Undefined(None)))
            }
            "list" => {
                let [] = args.bind(name, [])?;
                Ok(Value::List(self.iterate(&value)?))
            }
            "items" => {
                let [] = args.bind(name, [])?;
                match &value {
                    Value::Undefined(_) => self.meter.list(Vec::new()),
                    Value::Dict(_) => self.call_method(&value, "items", Args::default()),
                    other => Err(failure(format!("`items` of {}", other.kind()))),
                }
            }
            "join" => self.join_filter(&value, args),
            "reverse" => {
                let [] = args.bind(name, [])?;
                if let Value::Str(_) = value {
                    return operators::slice(&value, [Value::None, Value::None, Value::Int(-1)], &self.meter);
                }
                let mut reversed = ListBuilder::new(&self.meter)?;
                self.iterate(&value)?.items.iter().rev().try_for_each(|item| reversed.push(item.clone()))?;
                reversed.finish()
            }
            "sort" => {
                let [reverse, case_sensitive, attribute] =
                    args.bind(name, ["reverse", "case_sensitive", "attribute"])?;
                let keep_case = case_sensitive.is_some_and(|value| value.is_true());
                let sorted = self.sorted(&value, attribute.as_ref(), keep_case, is_true(&reverse))?;
                let mut items = ListBuilder::new(&self.meter)?;
                sorted.into_iter().try_for_each(|(_, item)| items.push(item))?;
                items.finish()
            }
            "dictsort" => self.dictsort(&value, args),
            "unique" => self.unique(&value, args),
            "min" | "max" => self.extreme(name, &value, args),
            "sum" => {
                let [attribute, start] = args.bind(name, ["attribute", "start"])?;
                let mut sum = start.unwrap_or(Value::Int(0));
                for item in &self.iterate(&value)?.items {
                    let item = match &attribute {
                        Some(attribute) if !matches!(attribute, Value::None) => self.path(item, attribute)?,
                        _ => item.clone(),
                    };
                    self.meter.steps(1)?;
                    sum = operators::arithmetic(super::syntax::Operator::Add, &sum, &item, &self.meter)?;
                }
                Ok(sum)
            }
            "map" => self.map(&value, args),
            "select" | "reject" | "selectattr" | "rejectattr" => self.select(name, &value, args),
            "groupby" => self.groupby(&value, args),
            "batch" | "slice" => self.columns(name, &value, args),
            _ => Err(failure(Kind::Filter.missing(name))),
        }
    }

    pub(super) fn length(&self, value: &Value) -> Result<Value> {
        let length = match value {
            Value::Undefined(_) => 0,
            Value::Str(text) => {
                self.meter.bytes(text.len())?;
                text.count()
            }
            Value::List(list) | Value::Tuple(list) => list.items.len(),
            Value::Dict(dict) => dict.entries.len(),
            other => return Err(failure(format!("{} has no length", other.kind()))),
        };
        Ok(Value::Int(length as i64))
    }

    /// What `a.b.0` names in a value.
    pub(super) fn path(&mut self, value: &Value, path: &Value) -> Result<Value> {
        self.path_or(value, path, None)
    }

    /// [`path`](Self::path), with what stands in for each part that is not there.
    fn path_or(&mut self, value: &Value, path: &Value, default: Option<&Value>) -> Result<Value> {
        if path.as_int().is_some() {
            let found = self.item(value, path)?;
            return Ok(default.filter(|_| found.is_undefined()).cloned().unwrap_or(found));
        }
        let Some(path) = path.as_text() else { return Err(failure("an attribute is to be a text or a number")) };
        let mut value = value.clone();
        for part in path.split('.') {
            let key = match part.parse::<i64>() {
                Ok(index) => Value::Int(index),
                Err(_) => self.meter.text(part)?,
            };
            value = self.item(&value, &key)?;
            if let (true, Some(default)) = (value.is_undefined(), default) {
                value = default.clone();
            }
        }
        Ok(value)
    }

    /// What values are compared by: an attribute or several, and texts in small letters unless case counts.
    fn sort_key(&mut self, item: &Value, attribute: Option<&Value>, keep_case: bool) -> Result<Value> {
        let Some(attribute) = attribute.filter(|attribute| !matches!(attribute, Value::None)) else {
            return self.without_case(item.clone(), keep_case);
        };
        let several = attribute.as_text().filter(|text| text.contains(','));
        let Some(several) = several else {
            let value = self.path(item, attribute)?;
            return self.without_case(value, keep_case);
        };
        let mut values = ListBuilder::new(&self.meter)?;
        for part in several.split(',') {
            let part = self.meter.text(part)?;
            let value = self.path(item, &part)?;
            values.push(self.without_case(value, keep_case)?)?;
        }
        values.finish_tuple()
    }

    fn without_case(&self, value: Value, keep_case: bool) -> Result<Value> {
        match &value {
            Value::Str(text) if !keep_case => {
                let charge = self.slow_copy(text)?;
                let lower = text.to_lowercase();
                drop(charge);
                self.meter.text(lower)
            }
            _ => Ok(value),
        }
    }

    /// The entries of a list with what they are compared by, in order.
    fn sorted(
        &mut self,
        value: &Value,
        attribute: Option<&Value>,
        keep_case: bool,
        reverse: bool,
    ) -> Result<Vec<(Value, Value)>> {
        let items = self.iterate(value)?;
        // Key and entry, in the list that is made, and in the two that sorting goes between.
        let _charge = self.meter.charge(items.items.len().saturating_mul(3 * size_of::<(Value, Value)>()))?;
        let mut keyed = Vec::with_capacity(items.items.len());
        for item in &items.items {
            self.meter.steps(1)?;
            keyed.push((self.sort_key(item, attribute, keep_case)?, item.clone()));
        }
        let meter = self.meter.clone();
        sort(keyed, |(a, _), (b, _)| {
            let ordering = if reverse { order(b, a, &meter) } else { order(a, b, &meter) };
            Ok(ordering?.is_some_and(std::cmp::Ordering::is_lt))
        })
    }

    fn dictsort(&mut self, value: &Value, args: Args) -> Result<Value> {
        let [case_sensitive, by, reverse] = args.bind("dictsort", ["case_sensitive", "by", "reverse"])?;
        let place = match by.as_ref().and_then(Value::as_text).map_or("key", |by| by) {
            "key" => 0,
            "value" => 1,
            _ => return Err(failure("`dictsort` sorts by key or by value")),
        };
        let pairs = self.sequence_filter("items", value.clone(), Args::default())?;
        let sorted = self.sorted(&pairs, Some(&Value::Int(place)), is_true(&case_sensitive), is_true(&reverse))?;
        let mut items = ListBuilder::new(&self.meter)?;
        sorted.into_iter().try_for_each(|(_, item)| items.push(item))?;
        items.finish()
    }

    #[expect(clippy::mutable_key_type, reason = "texts are compared, and not what they are charged to")]
    fn unique(&mut self, value: &Value, args: Args) -> Result<Value> {
        let [case_sensitive, attribute] = args.bind("unique", ["case_sensitive", "attribute"])?;
        let mut seen = std::collections::BTreeSet::new();
        let mut charge = self.meter.charge(0)?;
        let mut items = ListBuilder::new(&self.meter)?;
        for item in &self.iterate(value)?.items {
            let key = self.sort_key(item, attribute.as_ref(), is_true(&case_sensitive))?;
            // A look-up compares with some twenty others.
            self.meter.steps(4)?;
            self.meter.bytes(key.as_text().map_or(0, |text| text.len().saturating_mul(4)))?;
            charge.grow(96)?;
            if seen.insert(Key::of(&key, &self.meter)?) {
                items.push(item.clone())?;
            }
        }
        items.finish()
    }

    fn extreme(&mut self, name: &str, value: &Value, args: Args) -> Result<Value> {
        let [case_sensitive, attribute] = args.bind(name, ["case_sensitive", "attribute"])?;
        let mut best: Option<(Value, Value)> = None;
        for item in &self.iterate(value)?.items {
            let key = self.sort_key(item, attribute.as_ref(), is_true(&case_sensitive))?;
            let is_better = match &best {
                None => true,
                Some((best, _)) => {
                    let ordering = order(&key, best, &self.meter)?;
                    ordering.is_some_and(|ordering| if name == "min" { ordering.is_lt() } else { ordering.is_gt() })
                }
            };
            if is_better {
                best = Some((key, item.clone()));
            }
        }
        Ok(best.map_or(Value::Undefined(None), |(_, item)| item))
    }

    fn map(&mut self, value: &Value, mut args: Args) -> Result<Value> {
        let items = self.iterate(value)?;
        let mut mapped = ListBuilder::new(&self.meter)?;
        if args.positional.is_empty() {
            let [attribute, default] = args.bind("map", ["attribute", "default"])?;
            let attribute = attribute.ok_or_else(|| failure("`map` needs a filter or an attribute"))?;
            for item in &items.items {
                mapped.push(self.path_or(item, &attribute, default.as_ref())?)?;
            }
        } else {
            let Value::Str(filter) = args.positional.remove(0) else {
                return Err(failure("`map` needs the name of a filter"));
            };
            for item in &items.items {
                let args = self.copied(&args)?;
                mapped.push(self.nested(|interpreter| interpreter.filter(&filter, item.clone(), args))?)?;
            }
        }
        mapped.finish()
    }

    fn copied(&self, args: &Args) -> Result<Args> {
        self.meter.steps((args.positional.len() + args.named.len()) as u64)?;
        let mut copy = Args::of(args.positional.clone());
        copy.named.clone_from(&args.named);
        Ok(copy)
    }

    fn select(&mut self, name: &str, value: &Value, mut args: Args) -> Result<Value> {
        let attribute = match name.ends_with("attr") {
            true if args.positional.is_empty() => return Err(failure(format!("`{name}` needs an attribute"))),
            true => Some(args.positional.remove(0)),
            false => None,
        };
        let test = match args.positional.is_empty() {
            true => None,
            false => match args.positional.remove(0) {
                Value::Str(test) => Some(test),
                _ => return Err(failure(format!("`{name}` needs the name of a test"))),
            },
        };
        let wanted = name.starts_with("select");
        let mut selected = ListBuilder::new(&self.meter)?;
        for item in &self.iterate(value)?.items {
            let tested = match &attribute {
                Some(attribute) => self.path(item, attribute)?,
                None => item.clone(),
            };
            let passes = match &test {
                Some(test) => {
                    let args = self.copied(&args)?;
                    self.nested(|interpreter| interpreter.test(test, &tested, args))?
                }
                None => tested.is_true(),
            };
            self.meter.steps(1)?;
            if passes == wanted {
                selected.push(item.clone())?;
            }
        }
        selected.finish()
    }

    fn groupby(&mut self, value: &Value, args: Args) -> Result<Value> {
        let [attribute, default, case_sensitive] = args.bind("groupby", ["attribute", "default", "case_sensitive"])?;
        let attribute = attribute.ok_or_else(|| failure("`groupby` needs an attribute"))?;
        let keep_case = is_true(&case_sensitive);
        let items = self.iterate(value)?;
        let mut pairs = ListBuilder::new(&self.meter)?;
        for item in &items.items {
            let key = self.path_or(item, &attribute, default.as_ref())?;
            let key = self.without_case(key, keep_case)?;
            pairs.push(self.meter.tuple(vec![key, item.clone()])?)?;
        }
        let pairs = pairs.finish()?;
        let sorted = self.sorted(&pairs, Some(&Value::Int(0)), true, false)?;
        let mut groups = ListBuilder::new(&self.meter)?;
        let mut group: Option<(Value, Value, ListBuilder)> = None;
        for (key, pair) in sorted {
            let item = pair.as_items().and_then(|pair| pair.last()).cloned().unwrap_or(Value::None);
            let same = match &group {
                Some((current, ..)) => equal(current, &key, &self.meter)?,
                None => false,
            };
            if !same {
                // The name is that of the first entry, as it was written.
                let name = self.path_or(&item, &attribute, default.as_ref())?;
                if let Some((_, name, items)) = group.replace((key, name, ListBuilder::new(&self.meter)?)) {
                    groups.push(self.meter.tuple(vec![name, items.finish()?])?)?;
                }
            }
            if let Some((.., items)) = &mut group {
                items.push(item)?;
            }
        }
        if let Some((_, name, items)) = group {
            groups.push(self.meter.tuple(vec![name, items.finish()?])?)?;
        }
        groups.finish()
    }

    /// `batch`: rows of a length; `slice`: a number of rows.
    fn columns(&mut self, name: &str, value: &Value, args: Args) -> Result<Value> {
        let [count, fill] = args.bind(name, [if name == "batch" { "linecount" } else { "slices" }, "fill_with"])?;
        let count = count.and_then(|count| count.as_int()).and_then(|count| usize::try_from(count).ok());
        let count =
            count.filter(|count| *count > 0).ok_or_else(|| failure(format!("`{name}` needs a count above 0")))?;
        let fill = fill.filter(|fill| !matches!(fill, Value::None));
        let items = self.iterate(value)?;
        let mut rows = ListBuilder::new(&self.meter)?;
        if name == "batch" {
            for chunk in items.items.chunks(count) {
                let missing = if fill.is_some() { count - chunk.len() } else { 0 };
                rows.push(self.row(chunk, fill.as_ref(), missing)?)?;
            }
            return rows.finish();
        }
        let (each, longer) = (items.items.len() / count, items.items.len() % count);
        let mut start = 0;
        for number in 0..count {
            let length = each + usize::from(number < longer);
            let missing = usize::from(fill.is_some() && longer > 0 && number >= longer);
            rows.push(self.row(&items.items[start..start + length], fill.as_ref(), missing)?)?;
            start += length;
        }
        rows.finish()
    }

    fn row(&self, items: &[Value], fill: Option<&Value>, missing: usize) -> Result<Value> {
        let mut row = ListBuilder::new(&self.meter)?;
        items.iter().try_for_each(|item| row.push(item.clone()))?;
        for _ in 0..missing {
            row.push(fill.cloned().unwrap_or(Value::None))?;
        }
        row.finish()
    }

    /// A map's keys, values or pairs.
    pub(super) fn dict_part(&self, value: &Value, part: &str) -> Result<Value> {
        let Value::Dict(dict) = value else { return Err(failure(format!("{} has no {part}", value.kind()))) };
        let mut items = ListBuilder::new(&self.meter)?;
        for (key, value) in &dict.entries {
            items.push(match part {
                "keys" => key.clone(),
                "values" => value.clone(),
                _ => self.meter.tuple(vec![key.clone(), value.clone()])?,
            })?;
        }
        items.finish()
    }
}

fn is_true(value: &Option<Value>) -> bool {
    value.as_ref().is_some_and(Value::is_true)
}
