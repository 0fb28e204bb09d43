//! Reads the pickle of a PyTorch archive as far as it describes a dictionary of tensors. Nothing is run: of all that a pickle may call,
//! `torch._utils._rebuild_tensor_v2` and `collections.OrderedDict` are taken for what they make, and any other name is refused.
//!
//! Values lie in one list and name each other by number, so that neither cycles nor nesting cost more than the bytes that make them: an
//! instruction makes one value at most, and nothing here recurses.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::{Width, damaged, misfit, shortened};
use crate::error::{Error, Result};

/// Where a tensor's numbers are.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The name of its entry in the archive.
    pub key: Rc<str>,
    pub width: Width,
    /// Its length.
    pub floats: u64,
}

/// Which of a storage's numbers are a tensor's.
#[derive(Debug, Clone)]
pub struct TensorView {
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
    pub offset: u64,
}

/// A tensor as the pickle describes it.
#[derive(Debug, Clone)]
pub struct Described {
    pub storage: Storage,
    pub view: TensorView,
}

/// The number of a value in the list.
type Id = usize;

#[derive(Debug, Clone)]
enum Value {
    /// None, a truth value or a float: of no use in a tensor, and harmless.
    Other,
    Integer(i64),
    Text(Rc<str>),
    Tuple(Vec<Id>),
    List,
    Dictionary(Vec<(Id, Id)>),
    Name(Name),
    Storage(Storage),
    Tensor(Box<Described>),
}

/// What may be named.
#[derive(Debug, Clone, Copy)]
enum Name {
    RebuildTensor,
    OrderedDict,
    Storage(Width),
}

/// The tensors of the dictionary that a pickle makes, in its order.
///
/// # Errors
/// [`Error::TunedState`].
pub fn tensors(bytes: &[u8]) -> Result<Vec<(Rc<str>, Described)>> {
    let mut machine =
        Machine { rest: bytes, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    let made = machine.run()?;
    let Value::Dictionary(pairs) = machine.value(made)? else {
        return Err(misfit("it is no dictionary of tensors".into()));
    };
    let (mut tensors, mut names) = (Vec::new(), HashSet::new());
    for &(key, value) in pairs {
        let Value::Text(name) = machine.value(key)? else { return Err(misfit("a name in it is no text".into())) };
        let Value::Tensor(tensor) = machine.value(value)? else {
            return Err(misfit(format!("its `{}` is no tensor", shortened(name))));
        };
        if !names.insert(Rc::clone(name)) {
            return Err(damaged(format!("it has `{}` twice", shortened(name))));
        }
        tensors.push((Rc::clone(name), (**tensor).clone()));
    }
    Ok(tensors)
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Lengths of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Machine<'_> {
    /// Runs to the end; gives what is on the stack then.
    fn run(&mut self) -> Result<Id> {
        loop {
            let [code] = self.array()?;
            match code {
                b'.' => return self.pop(),
                // The version, and the length of what follows.
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.since_mark()?),
                b'2' => {
                    let top = self.pop()?;
                    self.stack.extend([top, top]);
                }
                b'N' | 0x88 | 0x89 => self.push(Value::Other),
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Other);
                }
                b'J' | b'K' | b'M' | 0x8a => self.integer(code)?,
                b'X' | b'U' | b'T' | 0x8c | 0x8d => self.text(code)?,
                b')' | 0x85..=0x87 | b't' => self.tuple(code)?,
                b']' => self.push(Value::List),
                b'a' => drop((self.pop()?, self.list_below()?)),
                b'e' => drop((self.since_mark()?, self.list_below()?)),
                b'}' => self.push(Value::Dictionary(Vec::new())),
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set_items(&items)?;
                }
                b'c' | 0x93 => self.name(code)?,
                b'Q' => self.storage()?,
                b'R' => self.call()?,
                // What `torch.save` adds to a dictionary is no tensor.
                b'b' => {
                    self.pop()?;
                    self.dictionary_below()?;
                }
                b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(code)?,
                other => return Err(damaged(format!("its pickle has the instruction {other:#04x}"))),
            }
        }
    }

    fn integer(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b'J' => i32::from_le_bytes(self.array()?).into(),
            b'K' => u8::from_le_bytes(self.array()?).into(),
            b'M' => u16::from_le_bytes(self.array()?).into(),
            _ => {
                let [length] = self.array()?;
                let digits = self.take(length.into())?;
                let negative = digits.last().is_some_and(|last| last & 0x80 != 0);
                let mut bytes = [if negative { 0xff } else { 0 }; 8];
                let room = bytes.get_mut(..digits.len());
                room.ok_or_else(|| damaged("its pickle has a number of more than 64 bits".into()))?
                    .copy_from_slice(digits);
                i64::from_le_bytes(bytes)
            }
        };
        self.push(Value::Integer(value));
        Ok(())
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let length = match code {
            b'X' | b'T' => u32::from_le_bytes(self.array()?).into(),
            b'U' | 0x8c => u8::from_le_bytes(self.array()?).into(),
            _ => u64::from_le_bytes(self.array()?),
        };
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("its pickle has a text that is none".into()))?;
        let text = text.into();
        self.push(Value::Text(text));
        Ok(())
    }

    fn tuple(&mut self, code: u8) -> Result<()> {
        let items = match code {
            b')' => Vec::new(),
            b't' => self.since_mark()?,
            _ => {
                let from = self.stack.len().checked_sub(usize::from(code - 0x84)).filter(|&from| from >= self.floor());
                self.stack.split_off(from.ok_or_else(empty)?)
            }
        };
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<()> {
        if !items.len().is_multiple_of(2) {
            return Err(damaged("its pickle has a name without a value".into()));
        }
        let pairs = items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        self.dictionary_below()?.extend(pairs);
        Ok(())
    }

    /// A name as two lines, or as two texts on the stack.
    fn name(&mut self, code: u8) -> Result<()> {
        let (module, name) = if code == b'c' {
            (Rc::from(self.line()?), Rc::from(self.line()?))
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            (self.text_of(module)?, self.text_of(name)?)
        };
        let name = match (&*module, &*name) {
            ("torch._utils", "_rebuild_tensor_v2") => Name::RebuildTensor,
            ("collections", "OrderedDict") => Name::OrderedDict,
            ("torch", "FloatStorage") => Name::Storage(Width::F32),
            ("torch", "HalfStorage") => Name::Storage(Width::F16),
            ("torch", "BFloat16Storage") => Name::Storage(Width::Bf16),
            (module, name) => {
                let name = shortened(&format!("{module}.{name}"));
                return Err(misfit(format!("it asks for `{name}`, which no tensor of F32, F16 or BF16 needs")));
            }
        };
        self.push(Value::Name(name));
        Ok(())
    }

    /// `("storage", type, key, device, length)`.
    fn storage(&mut self) -> Result<()> {
        let of = self.pop()?;
        let Value::Tuple(parts) = self.value(of)? else { return Err(unlike("a storage")) };
        let &[_, kind, key, _, floats] = parts.as_slice() else { return Err(unlike("a storage")) };
        let (Value::Name(Name::Storage(width)), key) = (self.value(kind)?, self.text_of(key)?) else {
            return Err(unlike("a storage"));
        };
        if key.len() > MOST_KEY_BYTES {
            return Err(unlike("a storage"));
        }
        let storage = Storage { width: *width, key, floats: self.count(floats)? };
        self.push(Value::Storage(storage));
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Name(name), Value::Tuple(arguments)) = (self.value(function)?, self.value(arguments)?) else {
            return Err(unlike("a call"));
        };
        let made = match (name, arguments.as_slice()) {
            (Name::OrderedDict, []) => Value::Dictionary(Vec::new()),
            // After these come whether it has a gradient, hooks, and metadata.
            (
                Name::RebuildTensor,
                &[storage, offset, shape, strides, _, _] | &[storage, offset, shape, strides, _, _, _],
            ) => {
                let Value::Storage(storage) = self.value(storage)? else { return Err(unlike("a tensor")) };
                let (shape, strides) = (self.counts(shape)?, self.counts(strides)?);
                if shape.len() != strides.len() {
                    return Err(unlike("a tensor"));
                }
                let view = TensorView { shape, strides, offset: self.count(offset)? };
                Value::Tensor(Box::new(Described { storage: storage.clone(), view }))
            }
            _ => return Err(unlike("a call")),
        };
        self.push(made);
        Ok(())
    }

    fn remember(&mut self, code: u8) -> Result<()> {
        let at = match code {
            b'q' | b'h' => u64::from(u8::from_le_bytes(self.array()?)),
            b'r' | b'j' => u64::from(u32::from_le_bytes(self.array()?)),
            _ => self.memo.len() as u64,
        };
        if matches!(code, b'h' | b'j') {
            let known = self.memo.get(&at).copied();
            self.stack.push(known.ok_or_else(|| damaged("its pickle names a value that it has not made".into()))?);
        } else {
            let top = self.top()?;
            self.memo.insert(at, top);
        }
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    /// The least that the stack may shrink to before a mark is taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().filter(|_| self.stack.len() > self.floor()).ok_or_else(empty)
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// What was pushed since the last mark.
    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let from = self.marks.pop().ok_or_else(empty)?;
        Ok(self.stack.split_off(from))
    }

    fn value(&self, id: Id) -> Result<&Value> {
        self.values.get(id).ok_or_else(empty)
    }

    fn list_below(&self) -> Result<()> {
        match self.value(self.top()?)? {
            Value::List => Ok(()),
            _ => Err(unlike("a list")),
        }
    }

    fn dictionary_below(&mut self) -> Result<&mut Vec<(Id, Id)>> {
        let top = self.top()?;
        match self.values.get_mut(top) {
            Some(Value::Dictionary(pairs)) => Ok(pairs),
            _ => Err(unlike("a dictionary")),
        }
    }

    fn text_of(&self, id: Id) -> Result<Rc<str>> {
        match self.value(id)? {
            Value::Text(text) => Ok(Rc::clone(text)),
            _ => Err(unlike("a text")),
        }
    }

    fn count(&self, id: Id) -> Result<u64> {
        match self.value(id)? {
            Value::Integer(value) => u64::try_from(*value).map_err(|_| unlike("a length")),
            _ => Err(unlike("a length")),
        }
    }

    fn counts(&self, id: Id) -> Result<Vec<u64>> {
        match self.value(id)? {
            Value::Tuple(items) if items.len() <= MOST_AXES => items.iter().map(|&item| self.count(item)).collect(),
            _ => Err(unlike("a shape")),
        }
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let split = self.rest.split_at_checked(count);
        let (taken, rest) = split.ok_or_else(|| damaged("its pickle ends too early".into()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn line(&mut self) -> Result<String> {
        let length = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let line = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(line)
    }
}

/// `torch.save` counts storages.
const MOST_KEY_BYTES: usize = 64;

/// Of a tensor; a tuned state has three.
const MOST_AXES: usize = 8;

fn empty() -> Error {
    damaged("its pickle takes more from its stack than is there".into())
}

fn unlike(what: &str) -> Error {
    damaged(format!("its pickle has {what} of another form"))
}
