//! What one rendering may take. Templates come from model files, so each piece of text, each list entry and each step is
//! paid for before it is made: whatever a template does, it ends within these bounds.

use std::cell::Cell;
use std::rc::Rc;

use super::value::{Dict, List, Text, Value};
use super::{Result, failure};

/// Steps, where one is the evaluation of a node or the handling of [`BYTES_A_STEP`] bytes. Ordinary templates take some
/// hundred a message; this many take half a second at most.
const STEPS: u64 = 3_000_000;

/// Bytes that are copied or compared in about the time of one step.
const BYTES_A_STEP: usize = 64;

/// Bytes of all values and texts at a time, as [`Charge`] counts them. Vectors that grow by doubling may take three times
/// as much for a moment.
const MEMORY: usize = 14 << 20;

/// What an entry of a list costs.
pub(super) const ENTRY_BYTES: usize = size_of::<Value>();

/// What a text, list or map costs beside its contents: the allocations and their headers.
const OBJECT_BYTES: usize = 96;

/// What an entry of a map costs: key, value, and a node of its index.
const DICT_ENTRY_BYTES: usize = 96;

#[derive(Debug)]
struct MemoryLimit {
    used: Cell<usize>,
    limit: usize,
}

/// The budget of one rendering; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    steps_left: Rc<Cell<u64>>,
    memory: Rc<MemoryLimit>,
}

/// Bytes that are in use until this is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    bytes: usize,
    memory: Rc<MemoryLimit>,
}

impl Charge {
    pub(super) fn grow(&mut self, bytes: usize) -> Result<()> {
        let used = self.memory.used.get().saturating_add(bytes);
        if used > self.memory.limit {
            return Err(failure("the template takes too much memory"));
        }
        self.memory.used.set(used);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.used.set(self.memory.used.get() - self.bytes);
    }
}

impl Meter {
    /// A budget for a conversation of this many bytes: what the conversation itself takes comes on top of what every
    /// template has.
    pub(super) fn for_input(bytes: usize) -> Self {
        let memory = MemoryLimit { used: Cell::new(0), limit: MEMORY.saturating_add(bytes.saturating_mul(8)) };
        Self { steps_left: Rc::new(Cell::new(STEPS.saturating_add(bytes as u64))), memory: Rc::new(memory) }
    }

    pub(super) fn steps(&self, steps: u64) -> Result<()> {
        match self.steps_left.get().checked_sub(steps) {
            Some(left) => {
                self.steps_left.set(left);
                Ok(())
            }
            None => Err(failure("the template ran out of fuel: it takes too many steps")),
        }
    }

    /// Pays for handling `bytes` at the speed of a copy; slower work is paid for several times.
    pub(super) fn bytes(&self, bytes: usize) -> Result<()> {
        self.steps((bytes / BYTES_A_STEP) as u64)
    }

    pub(super) fn charge(&self, bytes: usize) -> Result<Charge> {
        let mut charge = Charge { bytes: 0, memory: self.memory.clone() };
        charge.grow(bytes)?;
        Ok(charge)
    }

    /// A text that was made within known bounds, such as a part of another.
    pub(super) fn text(&self, text: impl Into<String> + AsRef<str>) -> Result<Value> {
        let length = text.as_ref().len();
        let charge = self.charge(length.saturating_add(OBJECT_BYTES))?;
        self.bytes(length)?;
        Ok(Value::Str(Text::new(text.into(), charge)))
    }

    /// A list whose entries were counted by whatever made them: a [`ListBuilder`], or a part of another list.
    pub(super) fn list(&self, items: Vec<Value>) -> Result<Value> {
        Ok(Value::List(self.items(items)?))
    }

    pub(super) fn tuple(&self, items: Vec<Value>) -> Result<Value> {
        Ok(Value::Tuple(self.items(items)?))
    }

    fn items(&self, items: Vec<Value>) -> Result<Rc<List>> {
        let charge = self.charge(items.len().saturating_mul(ENTRY_BYTES).saturating_add(OBJECT_BYTES))?;
        self.steps(items.len() as u64 / 8)?;
        List::new(items, charge).map(Rc::new)
    }

    /// A map; of equal keys the last value counts, at the place of the first.
    pub(super) fn dict(&self, entries: Vec<(Value, Value)>) -> Result<Value> {
        let charge = self.charge(entries.len().saturating_mul(DICT_ENTRY_BYTES).saturating_add(OBJECT_BYTES))?;
        // An entry is looked up among all others.
        self.steps(entries.len() as u64 * 8)?;
        Dict::new(entries, charge, self).map(|dict| Value::Dict(Rc::new(dict)))
    }
}

/// A text that grows, and is paid for as it does.
#[derive(Debug)]
pub(super) struct TextBuilder {
    text: String,
    charge: Charge,
    meter: Meter,
}

impl TextBuilder {
    pub(super) fn new(meter: &Meter) -> Result<Self> {
        Ok(Self { text: String::new(), charge: meter.charge(OBJECT_BYTES)?, meter: meter.clone() })
    }

    pub(super) fn push_str(&mut self, text: &str) -> Result<()> {
        self.pay(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(super) fn push(&mut self, char: char) -> Result<()> {
        self.charge.grow(char.len_utf8())?;
        self.text.push(char);
        Ok(())
    }

    pub(super) fn push_repeated(&mut self, char: char, count: usize) -> Result<()> {
        self.pay(count.saturating_mul(char.len_utf8()))?;
        self.text.extend(std::iter::repeat_n(char, count));
        Ok(())
    }

    /// Pays for steps that write nothing.
    pub(super) fn steps(&self, steps: usize) -> Result<()> {
        self.meter.steps(steps as u64)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn finish(self) -> Value {
        Value::Str(Text::new(self.text, self.charge))
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    fn pay(&mut self, bytes: usize) -> Result<()> {
        self.charge.grow(bytes)?;
        self.meter.bytes(bytes)
    }
}

impl std::fmt::Write for TextBuilder {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push_str(text).map_err(|_| std::fmt::Error)
    }
}

/// A list that grows, and is paid for as it does.
#[derive(Debug)]
pub(super) struct ListBuilder {
    items: Vec<Value>,
    charge: Charge,
    meter: Meter,
}

impl ListBuilder {
    pub(super) fn new(meter: &Meter) -> Result<Self> {
        Ok(Self { items: Vec::new(), charge: meter.charge(OBJECT_BYTES)?, meter: meter.clone() })
    }

    pub(super) fn push(&mut self, value: Value) -> Result<()> {
        self.charge.grow(ENTRY_BYTES)?;
        self.meter.steps(1)?;
        self.items.push(value);
        Ok(())
    }

    pub(super) fn push_text(&mut self, text: &str) -> Result<()> {
        let text = self.meter.text(text)?;
        self.push(text)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn finish(self) -> Result<Value> {
        Ok(Value::List(Rc::new(List::new(self.items, self.charge)?)))
    }

    pub(super) fn finish_tuple(self) -> Result<Value> {
        Ok(Value::Tuple(Rc::new(List::new(self.items, self.charge)?)))
    }
}
