//! Evaluates expressions.

use std::rc::Rc;

use super::budget::{ListBuilder, TextBuilder};
use super::interpreter::Interpreter;
use super::printing::write_text;
use super::syntax::{Arguments, Expr, Macro, Name, Step};
use super::value::{List, Value};
use super::{Result, failure, functions, methods, operators};

/// Evaluated arguments of a call, filter or test.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(Name, Value)>,
    /// For those that a list or map brought.
    charge: Option<super::budget::Charge>,
}

impl Args {
    pub(super) fn of(positional: Vec<Value>) -> Self {
        Self { positional, ..Self::default() }
    }

    /// The values of these parameters; an error where there are others.
    pub(super) fn bind<const N: usize>(self, callee: &str, parameters: [&str; N]) -> Result<[Option<Value>; N]> {
        let mut values = [const { None }; N];
        if self.positional.len() > N {
            return Err(failure(format!("`{callee}` takes at most {N} arguments")));
        }
        for (value, given) in values.iter_mut().zip(self.positional) {
            *value = Some(given);
        }
        for (name, given) in self.named {
            let place = parameters.iter().position(|parameter| **parameter == *name);
            match place.and_then(|place| values.get_mut(place)) {
                Some(value @ None) => *value = Some(given),
                Some(_) => return Err(failure(format!("`{callee}` is given `{name}` twice"))),
                None => return Err(failure(format!("`{callee}` has no parameter `{name}`"))),
            }
        }
        Ok(values)
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn evaluate(&mut self, expr: &'t Expr) -> Result<Value> {
        match expr {
            Expr::None => Ok(Value::None),
            Expr::Bool(value) => Ok(Value::Bool(*value)),
            Expr::Int(value) => Ok(Value::Int(*value)),
            Expr::Float(value) => Ok(Value::Float(*value)),
            Expr::Str(text) => self.meter.text(&**text),
            Expr::Name(name) => self.name(name),
            other => self.nested(|interpreter| interpreter.compound(other)),
        }
    }

    fn name(&self, name: &Name) -> Result<Value> {
        self.meter.steps(1)?;
        if let Some(value) = self.look_up(name)? {
            return Ok(value);
        }
        Ok(functions::named(name, self.now.is_some()).unwrap_or_else(|| Value::Undefined(Some(name.clone()))))
    }

    fn compound(&mut self, expr: &'t Expr) -> Result<Value> {
        match expr {
            Expr::Chain(first, steps) => {
                let value = self.evaluate(first)?;
                self.steps(value, steps)
            }
            Expr::List(items) => {
                let items = self.all(items)?;
                self.meter.list(items)
            }
            Expr::Tuple(items) => {
                let items = self.all(items)?;
                self.meter.tuple(items)
            }
            Expr::Dict(entries) => self.dict(entries),
            Expr::Not(value) => Ok(Value::Bool(!self.evaluate(value)?.is_true())),
            Expr::Negative(value) => operators::negative(&self.evaluate(value)?),
            Expr::Positive(value) => {
                let value = self.evaluate(value)?;
                operators::negative(&value).map(|_| value)
            }
            Expr::Arithmetic(first, others) => {
                let mut value = self.evaluate(first)?;
                for (operator, other) in others {
                    let other = self.evaluate(other)?;
                    self.meter.steps(1)?;
                    value = operators::arithmetic(*operator, &value, &other, &self.meter)?;
                }
                Ok(value)
            }
            Expr::Concat(parts) => self.concat(parts),
            Expr::And(operands) => self.first_that_is(operands, false),
            Expr::Or(operands) => self.first_that_is(operands, true),
            Expr::Compare(first, others) => {
                let mut left = self.evaluate(first)?;
                for (comparison, right) in others {
                    let right = self.evaluate(right)?;
                    if !operators::compare(*comparison, &left, &right, &self.meter)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::If { condition, then, otherwise } => match (self.evaluate(condition)?.is_true(), otherwise) {
                (true, _) => self.evaluate(then),
                (false, Some(otherwise)) => self.evaluate(otherwise),
                (false, None) => Ok(Value::Undefined(None)),
            },
            simple => self.evaluate(simple),
        }
    }

    fn all(&mut self, items: &'t [Expr]) -> Result<Vec<Value>> {
        items.iter().map(|item| self.evaluate(item)).collect()
    }

    fn dict(&mut self, entries: &'t [(Expr, Expr)]) -> Result<Value> {
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            values.push((self.evaluate(key)?, self.evaluate(value)?));
        }
        self.meter.dict(values)
    }

    fn concat(&mut self, parts: &'t [Expr]) -> Result<Value> {
        let mut text = TextBuilder::new(&self.meter)?;
        for part in parts {
            write_text(&self.evaluate(part)?, &mut text)?;
        }
        Ok(text.finish())
    }

    /// The first operand that is as true as this, or else the last one.
    fn first_that_is(&mut self, operands: &'t [Expr], wanted: bool) -> Result<Value> {
        let mut value = Value::None;
        for operand in operands {
            value = self.evaluate(operand)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    /// Follows a chain from a value.
    pub(super) fn steps(&mut self, first: Value, steps: &'t [Step]) -> Result<Value> {
        let mut value = first;
        let mut steps = steps.iter().peekable();
        while let Some(step) = steps.next() {
            self.meter.steps(1)?;
            value = match step {
                Step::Attribute(name) => match steps.peek() {
                    Some(Step::Call(arguments)) if methods::exists(&value, name) => {
                        steps.next();
                        let args = self.arguments(arguments)?;
                        self.call_method(&value, name, args)?
                    }
                    _ => self.attribute(&value, name)?,
                },
                Step::Item(item) => {
                    let item = self.evaluate(item)?;
                    self.item(&value, &item)?
                }
                Step::Slice(parts) => {
                    if value.is_undefined() {
                        return Err(value.undefined_failure());
                    }
                    let mut bounds = [Value::None, Value::None, Value::None];
                    for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                        if let Some(part) = part {
                            *bound = self.evaluate(part)?;
                        }
                    }
                    operators::slice(&value, bounds, &self.meter)?
                }
                Step::Call(arguments) => {
                    let args = self.arguments(arguments)?;
                    self.call(&value, args)?
                }
                Step::Filter(name, arguments) => {
                    let args = self.arguments(arguments)?;
                    self.filter(name, value, args)?
                }
                Step::Test { name, arguments, negated } => {
                    let args = self.arguments(arguments)?;
                    Value::Bool(self.test(name, &value, args)? != *negated)
                }
            };
        }
        Ok(value)
    }

    fn arguments(&mut self, arguments: &'t Arguments) -> Result<Args> {
        let mut args = Args::of(self.all(&arguments.positional)?);
        for (name, value) in &arguments.named {
            args.named.push((name.clone(), self.evaluate(value)?));
        }
        if let Some(more) = &arguments.more {
            let more = self.evaluate(more)?;
            let more = self.iterate(&more)?;
            args.charge = Some(self.meter.charge(more.items.len().saturating_mul(64))?);
            self.meter.steps(more.items.len() as u64)?;
            args.positional.extend(more.items.iter().cloned());
        }
        if let Some(more) = &arguments.more_named {
            let Value::Dict(more) = self.evaluate(more)? else { return Err(failure("`**` needs a map")) };
            let mut charge = self.meter.charge(more.entries.len().saturating_mul(96))?;
            for (name, value) in &more.entries {
                let name = name.as_text().ok_or_else(|| failure("`**` needs a map with texts as keys"))?;
                charge.grow(name.len())?;
                self.meter.bytes(name.len().saturating_add(64))?;
                args.named.push((Rc::from(name.as_str()), value.clone()));
            }
            args.charge = Some(charge);
        }
        Ok(args)
    }

    /// `{% call … %}`: the called macro finds the body as `caller`.
    pub(super) fn call_with_caller(&mut self, call: &'t Expr, caller: &'t Macro) -> Result<Value> {
        if let Expr::Chain(first, steps) = call
            && let Some((Step::Call(arguments), before)) = steps.split_last()
        {
            let callee = self.evaluate(first)?;
            let callee = self.steps(callee, before)?;
            let mut args = self.arguments(arguments)?;
            args.named.push(("caller".into(), self.make_macro(caller)?));
            return self.call(&callee, args);
        }
        Err(failure("`call` needs a call"))
    }

    pub(super) fn call(&mut self, callee: &Value, args: Args) -> Result<Value> {
        self.nested(|interpreter| match callee {
            Value::Macro(number) => interpreter.call_macro(*number, args),
            Value::Function(name) => interpreter.call_function(name, args),
            Value::Method(method) => interpreter.call_method(&method.0, &method.1, args),
            Value::Loop(id) => interpreter.call_loop(*id, args),
            Value::Joiner(number) => Ok(interpreter.join(*number)),
            Value::Undefined(_) => Err(callee.undefined_failure()),
            other => Err(failure(format!("{} cannot be called", other.kind()))),
        })
    }

    /// `value.name`: as in Python, a method goes before an entry of that name.
    pub(super) fn attribute(&mut self, value: &Value, name: &Name) -> Result<Value> {
        if methods::exists(value, name) {
            return value.clone().method(name);
        }
        let found = match value {
            Value::Undefined(_) => return Err(value.undefined_failure()),
            Value::Dict(dict) => dict.get_text(name).cloned(),
            Value::Namespace(number) => self.namespaces[*number].get(name).cloned(),
            Value::Loop(id) => self.loop_attribute(*id, name)?,
            Value::Cycler(number) if **name == *"current" => {
                let (items, next) = &self.cyclers[*number];
                items.items.get(*next).cloned()
            }
            Value::Macro(number) if **name == *"name" => Some(self.meter.text(&*self.macros[*number].0.name)?),
            // What `groupby` gives.
            Value::Tuple(pair) if pair.items.len() == 2 && **name == *"grouper" => pair.items.first().cloned(),
            Value::Tuple(pair) if pair.items.len() == 2 && **name == *"list" => pair.items.last().cloned(),
            _ => None,
        };
        Ok(found.unwrap_or_else(|| Value::Undefined(Some(name.clone()))))
    }

    /// `value[key]`: as in Jinja2, an entry goes before an attribute of that name.
    pub(super) fn item(&mut self, value: &Value, key: &Value) -> Result<Value> {
        let found = match (value, key) {
            (Value::Undefined(_), _) => return Err(value.undefined_failure()),
            (Value::Dict(dict), key) => dict.get(key, &self.meter)?.cloned(),
            (value, key) => match key.as_int() {
                Some(index) => operators::item(value, index, &self.meter)?,
                None => None,
            },
        };
        match (found, key) {
            (Some(found), _) => Ok(found),
            (None, Value::Str(name)) if name.len() < 64 => self.attribute(value, &Rc::from(name.as_str())),
            (None, _) => Ok(Value::Undefined(None)),
        }
    }

    /// What a loop over a value goes through.
    pub(super) fn iterate(&self, value: &Value) -> Result<Rc<List>> {
        let mut items = ListBuilder::new(&self.meter)?;
        match value {
            Value::List(list) | Value::Tuple(list) => return Ok(list.clone()),
            Value::Undefined(_) => {}
            Value::Dict(dict) => dict.entries.iter().try_for_each(|(key, _)| items.push(key.clone()))?,
            Value::Str(text) => {
                for char in text.chars() {
                    items.push_text(char.encode_utf8(&mut [0; 4]))?;
                }
            }
            other => return Err(failure(format!("{} cannot be looped over", other.kind()))),
        }
        match items.finish()? {
            Value::List(list) => Ok(list),
            other => Err(failure(format!("{} cannot be looped over", other.kind()))),
        }
    }
}
