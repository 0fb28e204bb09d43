//! The values of templates: Python's, of which lists and maps cannot be changed (chat templates run where that is forbidden),
//! so that no value can hold itself. What can change (namespaces and the like) belongs to the interpreter, and a value only
//! names it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::{Charge, Meter};
use super::syntax::Name;
use super::{Result, failure};

/// Lists in lists. Values are compared, written and dropped by recursion.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// With the name of what is not there, where it had one.
    Undefined(Option<Name>),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Text),
    List(Rc<List>),
    Tuple(Rc<List>),
    Dict(Rc<Dict>),
    Namespace(usize),
    Cycler(usize),
    Joiner(usize),
    Macro(usize),
    Loop(usize),
    Function(&'static str),
    Method(Rc<(Value, Name)>),
}

#[derive(Debug)]
struct TextData {
    text: String,
    is_ascii: bool,
    _charge: Charge,
}

/// A text, shared by all who hold it.
#[derive(Debug, Clone)]
pub(super) struct Text(Rc<TextData>);

impl Text {
    pub(super) fn new(text: String, charge: Charge) -> Self {
        let is_ascii = text.is_ascii();
        Self(Rc::new(TextData { text, is_ascii, _charge: charge }))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Number of characters.
    pub(super) fn count(&self) -> usize {
        if self.0.is_ascii { self.0.text.len() } else { self.0.text.chars().count() }
    }

    /// Where a character begins, for up to [`count`](Self::count).
    pub(super) fn offset(&self, character: usize) -> usize {
        match self.0.is_ascii {
            true => character.min(self.0.text.len()),
            false => self.0.text.char_indices().nth(character).map_or(self.0.text.len(), |(offset, _)| offset),
        }
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    depth: usize,
    _charge: Charge,
}

impl List {
    pub(super) fn new(items: Vec<Value>, charge: Charge) -> Result<Self> {
        let depth = one_deeper(items.iter())?;
        Ok(Self { items, depth, _charge: charge })
    }
}

/// What a map is keyed by. As in Python 1, 1.0 and True are one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    None,
    Int(i64),
    Float(u64),
    Str(Text),
    Tuple(Vec<Key>),
}

impl Key {
    pub(super) fn of(value: &Value, meter: &Meter) -> Result<Self> {
        meter.steps(1)?;
        Ok(match value {
            Value::None => Self::None,
            Value::Bool(value) => Self::Int((*value).into()),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) if *value == value.trunc() && value.abs() < 9e15 => Self::Int(*value as i64),
            Value::Float(value) => Self::Float(value.to_bits()),
            Value::Str(text) => {
                meter.bytes(text.len())?;
                Self::Str(text.clone())
            }
            Value::Tuple(items) => {
                // A copy of a tree whose parts may be shared: it is paid for by the memory that it takes.
                meter.steps(items.items.len() as u64 * 8)?;
                Self::Tuple(items.items.iter().map(|item| Self::of(item, meter)).collect::<Result<_>>()?)
            }
            other => return Err(failure(format!("{} cannot be a key", other.kind()))),
        })
    }
}

/// A map in the order in which it was written.
#[derive(Debug)]
pub(super) struct Dict {
    pub(super) entries: Vec<(Value, Value)>,
    texts: BTreeMap<Text, usize>,
    others: BTreeMap<Key, usize>,
    depth: usize,
    _charge: Charge,
}

impl Dict {
    pub(super) fn new(entries: Vec<(Value, Value)>, charge: Charge, meter: &Meter) -> Result<Self> {
        let (mut texts, mut others) = (BTreeMap::new(), BTreeMap::new());
        let mut kept: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let place = kept.len();
            let earlier = match Key::of(&key, meter)? {
                Key::Str(text) => *texts.entry(text).or_insert(place),
                other => *others.entry(other).or_insert(place),
            };
            match kept.get_mut(earlier) {
                Some(entry) => entry.1 = value,
                None => kept.push((key, value)),
            }
        }
        let depth = one_deeper(kept.iter().flat_map(|(key, value)| [key, value]))?;
        Ok(Self { entries: kept, texts, others, depth, _charge: charge })
    }

    pub(super) fn get_text(&self, key: &str) -> Option<&Value> {
        self.texts.get(key).and_then(|place| self.entries.get(*place)).map(|(_, value)| value)
    }

    pub(super) fn get(&self, key: &Value, meter: &Meter) -> Result<Option<&Value>> {
        if let Value::Str(text) = key {
            return Ok(self.get_text(text));
        }
        let place = self.others.get(&Key::of(key, meter)?);
        Ok(place.and_then(|place| self.entries.get(*place)).map(|(_, value)| value))
    }
}

fn one_deeper<'v>(values: impl Iterator<Item = &'v Value>) -> Result<usize> {
    let depth = 1 + values.map(Value::depth).max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(failure(format!("values are nested deeper than {MAX_DEPTH} levels")));
    }
    Ok(depth)
}

impl Value {
    fn depth(&self) -> usize {
        match self {
            Self::List(list) | Self::Tuple(list) => list.depth,
            Self::Dict(dict) => dict.depth,
            Self::Method(method) => method.0.depth() + 1,
            _ => 0,
        }
    }

    pub(super) fn method(self, name: &Name) -> Result<Self> {
        one_deeper(std::iter::once(&self))?;
        Ok(Self::Method(Rc::new((self, name.clone()))))
    }

    /// Python's name of the type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "an undefined value",
            Self::None => "none",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Namespace(_) => "namespace",
            Self::Cycler(_) => "cycler",
            Self::Joiner(_) => "joiner",
            Self::Macro(_) => "macro",
            Self::Loop(_) => "loop",
            Self::Function(_) => "function",
            Self::Method(_) => "method",
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(list) | Self::Tuple(list) => !list.items.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
            _ => true,
        }
    }

    /// What it means to use something that is not there.
    pub(super) fn undefined_failure(&self) -> super::Failure {
        match self {
            Self::Undefined(Some(name)) => failure(format!("`{name}` is undefined")),
            _ => failure("a value that is used is undefined"),
        }
    }

    /// The entries of a list or tuple.
    pub(super) fn as_items(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) | Self::Tuple(list) => Some(&list.items),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number as Python's arithmetic takes it: booleans count.
    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Bool(value) => Some((*value).into()),
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            other => other.as_int().map(|value| value as f64),
        }
    }
}

/// Equality of Python, paid for by what is looked at: lists that share entries are trees of any size.
pub(super) fn equal(left: &Value, right: &Value, meter: &Meter) -> Result<bool> {
    meter.steps(1)?;
    Ok(match (left, right) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::Str(left), Value::Str(right)) => {
            meter.bytes(left.len().min(right.len()))?;
            left == right
        }
        (Value::List(left), Value::List(right)) | (Value::Tuple(left), Value::Tuple(right)) => {
            if left.items.len() != right.items.len() {
                return Ok(false);
            }
            for (left, right) in left.items.iter().zip(&right.items) {
                if !equal(left, right, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Dict(left), Value::Dict(right)) => {
            if left.entries.len() != right.entries.len() {
                return Ok(false);
            }
            for (key, value) in &left.entries {
                match right.get(key, meter)? {
                    Some(other) if equal(value, other, meter)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Namespace(left), Value::Namespace(right))
        | (Value::Cycler(left), Value::Cycler(right))
        | (Value::Joiner(left), Value::Joiner(right))
        | (Value::Macro(left), Value::Macro(right))
        | (Value::Loop(left), Value::Loop(right)) => left == right,
        (Value::Function(left), Value::Function(right)) => left == right,
        (left, right) => match (left.as_int(), right.as_int()) {
            (Some(left), Some(right)) => left == right,
            _ => matches!((left.as_float(), right.as_float()), (Some(left), Some(right)) if left == right),
        },
    })
}

/// The order of Python; an error between values that have none.
pub(super) fn order(left: &Value, right: &Value, meter: &Meter) -> Result<Option<Ordering>> {
    meter.steps(1)?;
    if let (Some(left), Some(right)) = (left.as_int(), right.as_int()) {
        return Ok(Some(left.cmp(&right)));
    }
    if let (Some(left), Some(right)) = (left.as_float(), right.as_float()) {
        return Ok(left.partial_cmp(&right));
    }
    match (left, right) {
        (Value::Str(left), Value::Str(right)) => {
            meter.bytes(left.len().min(right.len()))?;
            Ok(Some(left.cmp(right)))
        }
        (Value::List(left), Value::List(right)) | (Value::Tuple(left), Value::Tuple(right)) => {
            for (left, right) in left.items.iter().zip(&right.items) {
                if !equal(left, right, meter)? {
                    return order(left, right, meter);
                }
            }
            Ok(Some(left.items.len().cmp(&right.items.len())))
        }
        (value @ Value::Undefined(_), _) | (_, value @ Value::Undefined(_)) => Err(value.undefined_failure()),
        _ => Err(failure(format!("{} and {} have no order", left.kind(), right.kind()))),
    }
}

/// Sorts without changing the order of equals; unlike the library's sort it may fail, and survives any comparison.
pub(super) fn sort<T: Clone>(items: Vec<T>, mut less: impl FnMut(&T, &T) -> Result<bool>) -> Result<Vec<T>> {
    let mut from = items;
    let mut width = 1;
    while width < from.len() {
        let mut to = Vec::with_capacity(from.len());
        for pair in from.chunks(2 * width) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
            while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
                let next = if less(b, a)? { right.next() } else { left.next() };
                to.extend(next.cloned());
            }
            to.extend(left.chain(right).cloned());
        }
        from = to;
        width *= 2;
    }
    Ok(from)
}
