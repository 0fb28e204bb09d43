//! The functions that every template has, and calls of macros and recursive loops.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::{ListBuilder, TextBuilder};
use super::evaluation::Args;
use super::interpreter::Interpreter;
use super::printing::to_text;
use super::syntax::Name;
use super::value::{Value, equal};
use super::{Result, failure, strftime};

pub(super) const NAMES: [&str; 7] =
    ["range", "dict", "namespace", "cycler", "joiner", "raise_exception", "strftime_now"];

/// As many as Jinja2's sandbox allows.
const MAX_RANGE: i64 = 100_000;

/// The function of this name. Without a clock there is no `strftime_now`, and templates use the date written into them.
pub(super) fn named(name: &str, has_clock: bool) -> Option<Value> {
    let name = NAMES.iter().find(|known| **known == name)?;
    (has_clock || *name != "strftime_now").then_some(Value::Function(name))
}

impl<'t> Interpreter<'t> {
    pub(super) fn call_function(&mut self, name: &'static str, args: Args) -> Result<Value> {
        match name {
            "range" => self.range(args),
            "dict" => self.dict_function(args),
            "namespace" => self.namespace(args),
            "cycler" => {
                if args.positional.is_empty() {
                    return Err(failure("`cycler` needs a value"));
                }
                let mut items = ListBuilder::new(&self.meter)?;
                args.positional.into_iter().try_for_each(|item| items.push(item))?;
                let items = items.finish()?;
                let items = self.iterate(&items)?;
                self.pay_record()?;
                self.cyclers.push((items, 0));
                Ok(Value::Cycler(self.cyclers.len() - 1))
            }
            "joiner" => {
                let [separator] = args.bind(name, ["sep"])?;
                self.pay_record()?;
                let separator = separator.map_or_else(|| self.meter.text(", "), Ok)?;
                self.joiners.push((separator, false));
                Ok(Value::Joiner(self.joiners.len() - 1))
            }
            "raise_exception" => {
                let [message] = args.bind(name, ["message"])?;
                let message = to_text(&message.unwrap_or(Value::None), &self.meter)?;
                let message: String = message.as_text().map_or("", |text| text).chars().take(400).collect();
                Err(failure(message))
            }
            _ => {
                let [format] = args.bind(name, ["format"])?;
                let Some(Value::Str(format)) = format else { return Err(failure("`strftime_now` needs a format")) };
                let mut text = TextBuilder::new(&self.meter)?;
                self.meter.steps(format.len() as u64 * 4)?;
                strftime::write(&format, self.now.unwrap_or_default(), &mut text)
                    .map_err(|_| failure("the template takes too much memory"))?;
                Ok(text.finish())
            }
        }
    }

    fn range(&self, args: Args) -> Result<Value> {
        let [first, second, step] = args.bind("range", ["start", "stop", "step"])?;
        let number = |value: Option<Value>| match value {
            None => Ok(None),
            Some(Value::Undefined(name)) => Err(Value::Undefined(name).undefined_failure()),
            Some(value) => match value.as_int() {
                Some(number) => Ok(Some(number)),
                None => Err(failure(format!("`range` of {}", value.kind()))),
            },
        };
        let (first, second, step) = (number(first)?, number(second)?, number(step)?.unwrap_or(1));
        let (start, stop) = match (first, second) {
            (Some(start), Some(stop)) => (start, stop),
            (Some(stop), None) => (0, stop),
            _ => return Err(failure("`range` needs a number")),
        };
        if step == 0 {
            return Err(failure("`range` with a step of zero"));
        }
        let span = if step > 0 { i128::from(stop) - i128::from(start) } else { i128::from(start) - i128::from(stop) };
        let count = (span.max(0) + i128::from(step).abs() - 1) / i128::from(step).abs();
        if count > i128::from(MAX_RANGE) {
            return Err(failure(format!("`range` of more than {MAX_RANGE} numbers")));
        }
        let mut items = ListBuilder::new(&self.meter)?;
        let numbers = std::iter::successors(Some(start), |number| number.checked_add(step));
        numbers.take(count as usize).try_for_each(|number| items.push(Value::Int(number)))?;
        items.finish()
    }

    fn dict_function(&mut self, args: Args) -> Result<Value> {
        let Some(first) = args.positional.first() else { return self.with_named(Vec::new(), args.named) };
        let pairs = match first {
            Value::Dict(_) => self.dict_part(first, "items")?,
            other => other.clone(),
        };
        let pairs = self.iterate(&pairs)?;
        let _charge = self.meter.charge(pairs.items.len().saturating_mul(96))?;
        let mut entries = Vec::with_capacity(pairs.items.len());
        for pair in &pairs.items {
            match pair.as_items() {
                Some([key, value]) => entries.push((key.clone(), value.clone())),
                _ => return Err(failure("`dict` needs pairs")),
            }
        }
        self.with_named(entries, args.named)
    }

    fn with_named(&self, mut entries: Vec<(Value, Value)>, named: Vec<(Name, Value)>) -> Result<Value> {
        for (name, value) in named {
            entries.push((self.meter.text(&*name)?, value));
        }
        self.meter.dict(entries)
    }

    fn namespace(&mut self, args: Args) -> Result<Value> {
        self.pay_record()?;
        self.namespaces.push(BTreeMap::new());
        let number = self.namespaces.len() - 1;
        if let Some(first) = args.positional.first() {
            let Value::Dict(dict) = first else { return Err(failure("`namespace` needs a map")) };
            for (key, value) in &dict.entries {
                let key = key.as_text().ok_or_else(|| failure("`namespace` needs a map with texts as keys"))?;
                self.meter.bytes(key.len().saturating_add(64))?;
                self.set_attribute(number, &Rc::from(key.as_str()), value.clone())?;
            }
        }
        for (name, value) in args.named {
            self.set_attribute(number, &name, value)?;
        }
        Ok(Value::Namespace(number))
    }

    /// Nothing at the first call, the separator afterwards.
    pub(super) fn join(&mut self, number: usize) -> Value {
        let (separator, is_used) = &mut self.joiners[number];
        if std::mem::replace(is_used, true) { separator.clone() } else { Value::Undefined(None) }
    }

    pub(super) fn call_macro(&mut self, number: usize, args: Args) -> Result<Value> {
        let (node, scope) = self.macros[number];
        self.captured(|interpreter| {
            interpreter.scoped(scope, |interpreter| {
                let mut positional = args.positional.into_iter();
                let mut named = args.named;
                for (name, default) in &node.parameters {
                    let given = named.iter().position(|(given, _)| given == name);
                    let value = match (positional.next(), given, default) {
                        (Some(_), Some(_), _) => {
                            return Err(failure(format!("`{}` is given `{name}` twice", node.name)));
                        }
                        (Some(value), None, _) => value,
                        (None, Some(given), _) => named.swap_remove(given).1,
                        (None, None, Some(default)) => interpreter.evaluate(default)?,
                        (None, None, None) => Value::Undefined(Some(name.clone())),
                    };
                    interpreter.define(name, value)?;
                }
                if let Some(caller) = named.iter().position(|(name, _)| **name == *"caller") {
                    let caller = named.swap_remove(caller).1;
                    interpreter.define("caller", caller)?;
                }
                let more = positional.collect();
                let more = interpreter.meter.tuple(more)?;
                interpreter.define("varargs", more)?;
                let more = interpreter.with_named(Vec::new(), named)?;
                interpreter.define("kwargs", more)?;
                interpreter.body(&node.body)
            })
        })
    }

    fn loop_place(&self, id: usize) -> Result<usize> {
        let place = self.loops.iter().rposition(|active| active.id == id);
        place.ok_or_else(|| failure("`loop` is used after its loop has ended"))
    }

    /// `loop(items)` within a recursive loop.
    pub(super) fn call_loop(&mut self, id: usize, args: Args) -> Result<Value> {
        let [items] = args.bind("loop", ["iterable"])?;
        let outer = &self.loops[self.loop_place(id)?];
        let (node, scope, depth) = (outer.node, outer.scope, outer.depth + 1);
        if !node.recursive {
            return Err(failure("`loop` is called in a loop that is not `recursive`"));
        }
        let items = items.ok_or_else(|| failure("`loop` needs what to loop over"))?;
        self.captured(|interpreter| interpreter.run_loop(node, &items, scope, depth))
    }

    pub(super) fn loop_attribute(&self, id: usize, name: &str) -> Result<Option<Value>> {
        let active = &self.loops[self.loop_place(id)?];
        let (index, length) = (active.index, active.items.items.len());
        let number = |number: usize| Some(Value::Int(number as i64));
        Ok(match name {
            "index" => number(index + 1),
            "index0" => number(index),
            "revindex" => number(length - index),
            "revindex0" => number(length - index - 1),
            "first" => Some(Value::Bool(index == 0)),
            "last" => Some(Value::Bool(index + 1 == length)),
            "length" => number(length),
            "depth" => number(active.depth + 1),
            "depth0" => number(active.depth),
            "previtem" => index.checked_sub(1).and_then(|index| active.items.items.get(index)).cloned(),
            "nextitem" => active.items.items.get(index + 1).cloned(),
            _ => None,
        })
    }

    /// `loop.cycle(…)` and `loop.changed(…)`.
    pub(super) fn call_loop_method(&mut self, id: usize, name: &str, args: Args) -> Result<Value> {
        let place = self.loop_place(id)?;
        if name == "cycle" {
            let count = args.positional.len().max(1);
            let item = args.positional.get(self.loops[place].index % count).cloned();
            return item.ok_or_else(|| failure("`loop.cycle` needs a value"));
        }
        let values = self.meter.tuple(args.positional)?;
        let before = self.loops[place].changed.replace(values.clone());
        let same = before.map_or(Ok(false), |before| equal(&before, &values, &self.meter))?;
        Ok(Value::Bool(!same))
    }
}
