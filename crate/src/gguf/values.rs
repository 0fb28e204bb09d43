//! Reads the key-value pairs of a GGUF header.
//!
//! Vectors grow with what has been read, never with what a count claims, so that a lie costs nothing.

use super::metadata::{Array, Metadata, Value};
use super::reader::{Field, Reader};
use crate::error::{Error, Result};

/// Key-value pairs in a file. Real files have fewer than a hundred.
pub(super) const MAX_PAIRS: u64 = 1 << 16;

/// A pair is a key's length, a type and one byte of value at least.
pub(super) const MIN_PAIR_BYTES: u64 = 8 + 4 + 1;

/// Elements of all arrays of a file together, nested ones included. The largest vocabularies in use have 1.3 million
/// (tokens, scores, types and merges).
const MAX_ELEMENTS: u64 = 4 << 20;

/// Arrays within arrays. The format sets no bound; no known key goes deeper than two.
const MAX_DEPTH: u64 = 4;

/// The format's own limit for keys (2^16 - 1 bytes).
const MAX_KEY_BYTES: u64 = 0xffff;

/// One string. Chat templates, the longest in real files, have some ten thousand bytes.
const MAX_STRING_BYTES: u64 = 16 << 20;

/// Elements of an array of numbers that are converted at a time, which bounds the window that they need.
const ELEMENTS_AT_ONCE: u64 = 8192;

const ALIGNMENT_KEY: &str = "general.alignment";

/// The format's default for `general.alignment`.
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;

/// No writer is known to go above 4096; the bound keeps the padding of a header small.
const MAX_ALIGNMENT: u64 = 1 << 16;

/// A value's type, with the format's numbering (`enum gguf_type` in `gguf.h` of llama.cpp).
#[derive(Clone, Copy)]
pub(super) enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    /// In the order of their numbers.
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The fewest bytes that one value takes in a file.
    fn min_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String => 8,
            Self::Array => 12,
        }
    }
}

/// Reads `count` pairs; gives back the metadata and the alignment of tensor data in bytes.
///
/// # Errors
/// [`Error::Truncated`], [`Error::TooLarge`] or [`Error::Malformed`] with the place of the first fault.
pub(super) async fn read_metadata(reader: &mut Reader<'_>, count: u64) -> Result<(Metadata, u64)> {
    let mut values = Values { reader, elements_left: MAX_ELEMENTS };
    let mut metadata = Metadata::default();
    let mut alignment = DEFAULT_ALIGNMENT;
    for index in 0..count {
        let at = values.reader.position();
        let key = values.reader.string(MAX_KEY_BYTES, Field::of("metadata").at(index).part("key")).await?;
        if metadata.get(&key).is_some() {
            return Err(Field::of(&key).malformed(at, "the key appears twice"));
        }
        let (value, at) = values.value(&key).await?;
        if key == ALIGNMENT_KEY {
            alignment = check_alignment(&value, at)?;
        }
        metadata.insert(key, value);
    }
    Ok((metadata, alignment))
}

fn check_alignment(value: &Value, at: u64) -> Result<u64> {
    match value {
        Value::Unsigned(bytes) if bytes.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(bytes) => Ok(*bytes),
        Value::Unsigned(bytes) => {
            Err(Field::of(ALIGNMENT_KEY)
                .malformed(at, format!("{bytes} is not a power of two from 8 to {MAX_ALIGNMENT}")))
        }
        other => {
            Err(Field::of(ALIGNMENT_KEY).malformed(at, format!("it is {}, not an unsigned integer", other.kind())))
        }
    }
}

struct Values<'r, 's> {
    reader: &'r mut Reader<'s>,
    /// Shared by all arrays of the file, so that many of them, or nested ones, cannot add up to more than one may have.
    elements_left: u64,
}

impl Values<'_, '_> {
    /// A value with its type before it, and the offset at which the value itself starts.
    async fn value(&mut self, key: &str) -> Result<(Value, u64)> {
        let field = Field::of(key);
        let kind = self.kind(field.part("type")).await?;
        let at = self.reader.position();
        let reader = &mut *self.reader;
        let value = match kind {
            ValueType::U8 => Value::Unsigned(u8::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::U16 => Value::Unsigned(u16::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::U32 => Value::Unsigned(u32::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::U64 => Value::Unsigned(u64::from_le_bytes(reader.bytes(field).await?)),
            ValueType::I8 => Value::Signed(i8::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::I16 => Value::Signed(i16::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::I32 => Value::Signed(i32::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::I64 => Value::Signed(i64::from_le_bytes(reader.bytes(field).await?)),
            ValueType::F32 => Value::Float(f32::from_le_bytes(reader.bytes(field).await?).into()),
            ValueType::F64 => Value::Float(f64::from_le_bytes(reader.bytes(field).await?)),
            ValueType::Bool => {
                let [byte] = reader.bytes(field).await?;
                Value::Bool(boolean(byte, field, at)?)
            }
            ValueType::String => Value::String(reader.string(MAX_STRING_BYTES, field).await?),
            ValueType::Array => Value::Array(self.array(key, 1).await?),
        };
        Ok((value, at))
    }

    /// An array, of which `depth - 1` others are around it: element type, count, elements.
    async fn array(&mut self, key: &str, depth: u64) -> Result<Array> {
        let field = Field::of(key);
        if depth > MAX_DEPTH {
            let place = field.part("depth").place(self.reader.position());
            return Err(Error::TooLarge { place, count: depth, limit: MAX_DEPTH });
        }
        let kind = self.kind(field.part("element type")).await?;
        let at = self.reader.position();
        let count = self.reader.u64(field.part("count")).await?;
        self.reader.check_count(|| field.part("count").place(at), count, kind.min_bytes(), self.elements_left)?;
        self.elements_left -= count;
        Ok(match kind {
            ValueType::U8 => Array::Unsigned(self.numbers(field, count, |b| u8::from_le_bytes(b).into()).await?),
            ValueType::U16 => Array::Unsigned(self.numbers(field, count, |b| u16::from_le_bytes(b).into()).await?),
            ValueType::U32 => Array::Unsigned(self.numbers(field, count, |b| u32::from_le_bytes(b).into()).await?),
            ValueType::U64 => Array::Unsigned(self.numbers(field, count, u64::from_le_bytes).await?),
            ValueType::I8 => Array::Signed(self.numbers(field, count, |b| i8::from_le_bytes(b).into()).await?),
            ValueType::I16 => Array::Signed(self.numbers(field, count, |b| i16::from_le_bytes(b).into()).await?),
            ValueType::I32 => Array::Signed(self.numbers(field, count, |b| i32::from_le_bytes(b).into()).await?),
            ValueType::I64 => Array::Signed(self.numbers(field, count, i64::from_le_bytes).await?),
            ValueType::F32 => Array::Float(self.numbers(field, count, |b| f32::from_le_bytes(b).into()).await?),
            ValueType::F64 => Array::Float(self.numbers(field, count, f64::from_le_bytes).await?),
            ValueType::Bool => Array::Bool(self.booleans(field, count).await?),
            ValueType::String => Array::String(self.strings(field, count).await?),
            ValueType::Array => {
                let mut arrays = Vec::new();
                for _ in 0..count {
                    arrays.push(Box::pin(self.array(key, depth + 1)).await?);
                }
                Array::Array(arrays)
            }
        })
    }

    async fn numbers<T, const N: usize>(
        &mut self,
        field: Field<'_>,
        count: u64,
        convert: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let mut numbers = Vec::new();
        let mut left = count;
        while left > 0 {
            let now = left.min(ELEMENTS_AT_ONCE);
            let bytes = self.reader.take(now as usize * N, field).await?;
            numbers.extend(bytes.as_chunks::<N>().0.iter().map(|&chunk| convert(chunk)));
            left -= now;
        }
        Ok(numbers)
    }

    async fn booleans(&mut self, field: Field<'_>, count: u64) -> Result<Vec<bool>> {
        let start = self.reader.position();
        let bytes: Vec<u8> = self.numbers(field, count, |[byte]| byte).await?;
        (0..).zip(bytes).map(|(index, byte)| boolean(byte, field.at(index), start + index)).collect()
    }

    async fn strings(&mut self, field: Field<'_>, count: u64) -> Result<Vec<String>> {
        let mut strings = Vec::new();
        for index in 0..count {
            strings.push(self.reader.string(MAX_STRING_BYTES, field.at(index)).await?);
        }
        Ok(strings)
    }

    async fn kind(&mut self, field: Field<'_>) -> Result<ValueType> {
        let at = self.reader.position();
        let number = self.reader.u32(field).await?;
        let known = usize::try_from(number).ok().and_then(|number| ValueType::ALL.get(number));
        known.copied().ok_or_else(|| field.malformed(at, format!("{number} is not a type of the format")))
    }
}

fn boolean(byte: u8, field: Field<'_>, at: u64) -> Result<bool> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(field.malformed(at, format!("{other} is not a boolean, which is 0 or 1"))),
    }
}
