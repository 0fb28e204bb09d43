//! Which model a state belongs to, and which beginning.

use std::fmt;

use twox_hash::XxHash3_128;

use crate::error::Result;
use crate::gguf::{Array, Gguf, Tensor, Value};
use crate::model::State;

/// The number of samples of the weights, and the bytes of each. Further training, another quantisation or a merge changes nearly
/// every weight, so a few samples distinguish models that share a header; all weights would cost a second pass over the file.
const PLACES: usize = 8;
const PLACE_BYTES: u64 = 1024;

/// Two models have the same where their header (metadata, vocabulary, tensors' names, types and shapes) and a sample of their
/// weights are the same. It guards against mistakes, not against two models that are made to look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelHash(pub [u8; 16]);

impl ModelHash {
    /// XXH3-128 over every metadata pair and tensor entry in the file's order, and over 1 KiB of weights at eight places that
    /// divide the tensors evenly. Where in the file a tensor lies, and how a set is split, does not count.
    ///
    /// # Errors
    /// [`crate::Error::Read`] where the source fails.
    pub async fn of(gguf: &Gguf) -> Result<Self> {
        let mut hasher = XxHash3_128::new();
        // How a set is split is no part of the model.
        for (key, value) in gguf.metadata.sorted().into_iter().filter(|(key, _)| !key.starts_with("split.")) {
            hash_text(&mut hasher, key);
            hash_value(&mut hasher, value);
        }
        let tensors = gguf.tensors();
        for tensor in tensors {
            hash_text(&mut hasher, &tensor.name);
            hash_text(&mut hasher, tensor.dtype.name());
            hash_each(&mut hasher, &tensor.dims, |size| size.to_le_bytes());
        }
        for (tensor, offset, length) in places(tensors) {
            hasher.write(&gguf.read(tensor, offset, length).await?);
        }
        Ok(Self(hasher.finish_128().to_le_bytes()))
    }

    /// Has the samples kept as the weights are read, so that [`ModelHash::of`] need not read them once more.
    ///
    /// # Errors
    /// As of [`Gguf::keep`].
    pub fn keep_samples(gguf: &Gguf) -> Result<()> {
        places(gguf.tensors()).try_for_each(|(tensor, offset, length)| gguf.keep(tensor, offset, length))
    }
}

/// Where the samples lie: a tensor, and a range of its bytes.
fn places(tensors: &[Tensor]) -> impl Iterator<Item = (&Tensor, u64, usize)> {
    let count = PLACES.min(tensors.len());
    (0..count).map(move |place| {
        let tensor = &tensors[place * tensors.len() / count];
        let length = tensor.bytes.min(PLACE_BYTES);
        (tensor, (tensor.bytes - length) / 2, length as usize)
    })
}

/// Lengths go in front, so that no two lists of texts run together.
fn hash_text(hasher: &mut XxHash3_128, text: &str) {
    hasher.write(&(text.len() as u64).to_le_bytes());
    hasher.write(text.as_bytes());
}

fn hash_each<T, const N: usize>(hasher: &mut XxHash3_128, values: &[T], bytes: impl Fn(&T) -> [u8; N]) {
    hasher.write(&(values.len() as u64).to_le_bytes());
    values.iter().for_each(|value| hasher.write(&bytes(value)));
}

/// A value as eight bytes or as text; a number that stands alone is a list of one.
fn hash_value(hasher: &mut XxHash3_128, value: &Value) {
    match value {
        Value::Unsigned(v) => hash_array(hasher, &Array::Unsigned(vec![*v])),
        Value::Signed(v) => hash_array(hasher, &Array::Signed(vec![*v])),
        Value::Float(v) => hash_array(hasher, &Array::Float(vec![*v])),
        Value::Bool(v) => hash_array(hasher, &Array::Bool(vec![*v])),
        Value::String(v) => hash_text(hasher, v),
        Value::Array(v) => hash_array(hasher, v),
    }
}

fn hash_array(hasher: &mut XxHash3_128, array: &Array) {
    match array {
        Array::Unsigned(v) => hash_each(hasher, v, |v| v.to_le_bytes()),
        Array::Signed(v) => hash_each(hasher, v, |v| v.to_le_bytes()),
        Array::Float(v) => hash_each(hasher, v, |v| v.to_bits().to_le_bytes()),
        Array::Bool(v) => hash_each(hasher, v, |&v| [u8::from(v)]),
        Array::String(v) => v.iter().for_each(|text| hash_text(hasher, text)),
        Array::Array(v) => v.iter().for_each(|array| hash_array(hasher, array)),
    }
}

impl fmt::Display for ModelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which state a model had before its first token, where that was not all zero: XXH3-128 over its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BeginningHash(pub [u8; 16]);

impl BeginningHash {
    /// That of a state before the first token; `None` for zeros.
    pub fn of(state: &State) -> Option<Self> {
        if state.tensors.iter().flatten().all(|&value| value == 0.0) {
            return None;
        }
        let mut hasher = XxHash3_128::new();
        for tensor in &state.tensors {
            hash_each(&mut hasher, tensor, |value| value.to_le_bytes());
        }
        Some(Self(hasher.finish_128().to_le_bytes()))
    }
}

impl fmt::Display for BeginningHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The inverse of its text.
impl std::str::FromStr for BeginningHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> std::result::Result<Self, NotAHash> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let value = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        Ok(Self(value.ok_or(NotAHash)?.to_be_bytes()))
    }
}

/// A text that is not 32 digits from 0 to f.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a beginning has 32 hexadecimal digits")]
pub struct NotAHash;
