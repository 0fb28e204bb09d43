//! Tuned states of other programs: a state that was trained in place of the zeros before the first token. A file has the numbers of one
//! tensor a layer, as [`Architecture::tuned_states`] names them, and comes as safetensors or as what `torch.save` writes.
//!
//! [`Architecture::tuned_states`]: crate::model::arch::Architecture::tuned_states

mod pickle;
mod pytorch;
mod safetensors;

use std::rc::Rc;

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use super::{Snapshot, StateShape};
use crate::error::{Error, Result};
use crate::fingerprint::{BeginningHash, ModelHash};
use crate::model::arch::TunedState;
use crate::model::{Network, State};

/// Descriptions of a hundred tensors have some ten thousand bytes. What a hostile one takes in memory is about forty times its length.
const MAX_DESCRIPTION_BYTES: usize = 256 << 10;

/// The order of a tuned tensor's last two axes, which nothing in a file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TunedOrder {
    /// A row a value, a column a key: as training writes it, and as this engine keeps it.
    ValueKey,
    /// A row a key, a column a value: as the converters of web-rwkv and Ai00 write it.
    KeyValue,
}

impl TunedOrder {
    /// What files of this name have: `.st` and `.state` are swapped by the converters that write them, all others are not.
    pub fn of_name(name: &str) -> Self {
        let name = name.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        if name.ends_with(".st") || name.ends_with(".state") { Self::KeyValue } else { Self::ValueKey }
    }

    /// As a sentence has it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::ValueKey => "value by key, as training writes it (.pth, .safetensors)",
            Self::KeyValue => "key by value, as web-rwkv and Ai00 write it (.st, .state)",
        }
    }
}

/// How a file holds numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    F32,
    F16,
    Bf16,
}

impl Width {
    fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    fn decode(self, bytes: &[u8]) -> Option<f32> {
        Some(match self {
            Self::F32 => f32::from_le_bytes(bytes.try_into().ok()?),
            Self::F16 => f16::from_le_bytes(bytes.try_into().ok()?).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(bytes.try_into().ok()?).to_f32(),
        })
    }
}

/// A tensor of a file.
#[derive(Debug)]
struct Tensor<'a> {
    name: String,
    width: Width,
    shape: Vec<u64>,
    /// Numbers from one place of an axis to the next.
    strides: Vec<u64>,
    /// The number of `data` that it begins with.
    offset: u64,
    data: &'a [u8],
}

impl Tensor<'_> {
    /// The number at a place, where the file has it.
    fn at(&self, place: [usize; 3]) -> Option<f32> {
        let steps = place
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |sum, (&at, &stride)| sum.checked_add((at as u64).checked_mul(stride)?))?;
        let start = usize::try_from(steps).ok()?.checked_mul(self.width.bytes())?;
        self.width.decode(self.data.get(start..start.checked_add(self.width.bytes())?)?)
    }
}

impl Snapshot {
    /// Reads a file of a model's: a state file, or one of a state that was tuned by another program, with the order that its numbers were
    /// taken in. Without an order that follows from the file's name.
    ///
    /// # Errors
    /// As of [`Snapshot::from_bytes`] and [`Snapshot::check`]; [`Error::TunedState`].
    pub fn open(
        bytes: &[u8],
        (name, order): (&str, Option<TunedOrder>),
        model: &ModelHash,
        network: &Network,
    ) -> Result<(Self, Option<TunedOrder>)> {
        let is_tuned = pytorch::is_archive(bytes) || safetensors::is_safetensors(bytes);
        let order = is_tuned.then(|| order.unwrap_or_else(|| TunedOrder::of_name(name)));
        let snapshot = match order {
            Some(order) => read(bytes, order, *model, network)?,
            None => Self::from_bytes(bytes)?,
        };
        snapshot.check(model, network)?;
        Ok((snapshot, order))
    }
}

/// Reads a tuned state of a model: a snapshot at position 0.
///
/// # Errors
/// [`Error::TunedState`] for a file that is damaged, asks for something that a tensor does not
/// need, or is for no model of these sizes.
fn read(bytes: &[u8], order: TunedOrder, model: ModelHash, network: &Network) -> Result<Snapshot> {
    let wanted = network.architecture.tuned_states();
    if wanted.is_empty() {
        return Err(misfit(format!("the architecture `{}` has none", network.architecture.name())));
    }
    let tensors = if pytorch::is_archive(bytes) { pytorch::read(bytes)? } else { safetensors::read(bytes)? };
    if let Some(other) = tensors.iter().find(|tensor| wanted.iter().all(|wanted| wanted.name != tensor.name)) {
        return Err(misfit(format!("it also has `{}`, and this model has no place for it", shortened(&other.name))));
    }
    let mut state = State::new(network);
    for wanted in &wanted {
        let tensor = tensors.iter().find(|tensor| tensor.name == wanted.name);
        let tensor = tensor.ok_or_else(|| misfit(format!("it has no `{}`", wanted.name)))?;
        let place = network.state.iter().position(|spec| spec.name == wanted.state);
        let Some(values) = place.and_then(|place| state.tensors.get_mut(place)) else { continue };
        fill(values, tensor, wanted, order)?;
    }
    let shape = Rc::new(StateShape::new(network));
    let beginning = BeginningHash::of(&state);
    let (tokens, messages) = (Rc::from([]), Vec::new());
    Ok(Snapshot { model, shape, beginning, state: Rc::new(state), tokens, pending: None, sampler: None, messages })
}

fn fill(values: &mut [f32], tensor: &Tensor<'_>, wanted: &TunedState, order: TunedOrder) -> Result<()> {
    let [heads, size] = [wanted.heads, wanted.size];
    if tensor.shape != [heads, size, size].map(|axis| axis as u64) {
        let (name, found) = (&wanted.name, &tensor.shape);
        return Err(misfit(format!("`{name}` has the shape {found:?}, and this model's is [{heads}, {size}, {size}]")));
    }
    for (at, value) in values.iter_mut().enumerate() {
        let (head, row, column) = (at / (size * size), at / size % size, at % size);
        let place = match order {
            TunedOrder::ValueKey => [head, row, column],
            TunedOrder::KeyValue => [head, column, row],
        };
        *value = tensor.at(place).ok_or_else(|| damaged(format!("`{}` ends too early", wanted.name)))?;
        if !value.is_finite() {
            return Err(damaged(format!("`{}` has a number that is infinite or none", wanted.name)));
        }
    }
    Ok(())
}

fn misfit(problem: String) -> Error {
    Error::TunedState { problem }
}

/// A fault of the file itself.
fn damaged(problem: String) -> Error {
    Error::TunedState { problem: format!("the file is damaged or is none: {problem}") }
}

/// A name of the file's, as a sentence can hold it.
fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}
