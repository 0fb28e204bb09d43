//! The reader's twin: writes the header of a GGUF file (version 3). The caller streams the tensors' bytes after it.

use super::metadata::{Array, Value};
use super::part::MAGIC;
use super::values::{DEFAULT_ALIGNMENT, ValueType};
use crate::quant::DType;

const VERSION: u32 = 3;

/// A header to be. Pairs and tensors keep the order in which they are added.
///
/// Numbers are written in the 32-bit types that readers of this format ask for, and in 64 bits only where they do not fit:
/// [`Value`] does not keep a width.
#[derive(Debug, Default)]
pub struct HeaderWriter {
    pairs: Vec<u8>,
    pair_count: u64,
    entries: Vec<u8>,
    tensor_count: u64,
    /// Bytes of the data section so far, padding included.
    data_bytes: u64,
}

impl HeaderWriter {
    /// A header without pairs and tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key and its value. The key must be new: a file with one key twice is not valid.
    pub fn pair(&mut self, key: &str, value: &Value) {
        put_string(&mut self.pairs, key);
        put_value(&mut self.pairs, value);
        self.pair_count += 1;
    }

    /// Adds a tensor; `dims` are in ggml's order, columns first. Returns the bytes of its data, without the padding, which
    /// [`padding`](Self::padding) returns.
    ///
    /// # Panics
    /// Where the columns are not whole blocks of the type.
    pub fn tensor(&mut self, name: &str, dtype: DType, dims: &[u64]) -> u64 {
        let block = dtype.block_len() as u64;
        let columns = dims.first().copied().unwrap_or(1);
        assert!(
            columns.is_multiple_of(block),
            "tensor {name}: rows of {columns} values are not whole blocks of {dtype}"
        );
        put_string(&mut self.entries, name);
        self.entries.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| self.entries.extend(dim.to_le_bytes()));
        self.entries.extend(dtype.ggml().to_le_bytes());
        self.entries.extend(self.data_bytes.to_le_bytes());
        let bytes = dims.iter().product::<u64>() / block * dtype.block_bytes() as u64;
        self.data_bytes += bytes + Self::padding(bytes) as u64;
        self.tensor_count += 1;
        bytes
    }

    /// Zeros that follow this many bytes of a tensor's data, up to the next tensor or to the end of the file.
    pub fn padding(bytes: u64) -> usize {
        (bytes.next_multiple_of(DEFAULT_ALIGNMENT) - bytes) as usize
    }

    /// Bytes of all tensors' data, padding included: the file is the header and this.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// The header, padded up to the first tensor's data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend(self.tensor_count.to_le_bytes());
        out.extend(self.pair_count.to_le_bytes());
        out.extend(&self.pairs);
        out.extend(&self.entries);
        out.resize(out.len() + Self::padding(out.len() as u64), 0);
        out
    }
}

fn put_kind(out: &mut Vec<u8>, kind: ValueType) {
    out.extend((kind as u32).to_le_bytes());
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A value with its type before it: that of an array of it alone, without the count.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Unsigned(v) => put_unsigned(out, &[*v], |_| {}),
        Value::Signed(v) => put_signed(out, &[*v], |_| {}),
        Value::Float(v) => put_floats(out, &[*v], |_| {}),
        Value::Bool(v) => {
            put_kind(out, ValueType::Bool);
            out.push(u8::from(*v));
        }
        Value::String(v) => {
            put_kind(out, ValueType::String);
            put_string(out, v);
        }
        Value::Array(array) => {
            put_kind(out, ValueType::Array);
            put_array(out, array);
        }
    }
}

/// Element type, count, elements.
fn put_array(out: &mut Vec<u8>, array: &Array) {
    let count = |out: &mut Vec<u8>| out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::Unsigned(v) => put_unsigned(out, v, count),
        Array::Signed(v) => put_signed(out, v, count),
        Array::Float(v) => put_floats(out, v, count),
        Array::Bool(v) => {
            put_kind(out, ValueType::Bool);
            count(out);
            out.extend(v.iter().map(|&v| u8::from(v)));
        }
        Array::String(v) => {
            put_kind(out, ValueType::String);
            count(out);
            v.iter().for_each(|v| put_string(out, v));
        }
        Array::Array(v) => {
            put_kind(out, ValueType::Array);
            count(out);
            v.iter().for_each(|v| put_array(out, v));
        }
    }
}

fn put_unsigned(out: &mut Vec<u8>, values: &[u64], count: impl Fn(&mut Vec<u8>)) {
    let narrow: Result<Vec<u32>, _> = values.iter().map(|&v| u32::try_from(v)).collect();
    put_kind(out, if narrow.is_ok() { ValueType::U32 } else { ValueType::U64 });
    count(out);
    match narrow {
        Ok(narrow) => out.extend(narrow.iter().flat_map(|v| v.to_le_bytes())),
        Err(_) => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
    }
}

fn put_signed(out: &mut Vec<u8>, values: &[i64], count: impl Fn(&mut Vec<u8>)) {
    let narrow: Result<Vec<i32>, _> = values.iter().map(|&v| i32::try_from(v)).collect();
    put_kind(out, if narrow.is_ok() { ValueType::I32 } else { ValueType::I64 });
    count(out);
    match narrow {
        Ok(narrow) => out.extend(narrow.iter().flat_map(|v| v.to_le_bytes())),
        Err(_) => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
    }
}

fn put_floats(out: &mut Vec<u8>, values: &[f64], count: impl Fn(&mut Vec<u8>)) {
    let fit = values.iter().all(|&v| f64::from(v as f32).to_bits() == v.to_bits());
    put_kind(out, if fit { ValueType::F32 } else { ValueType::F64 });
    count(out);
    match fit {
        true => out.extend(values.iter().flat_map(|&v| (v as f32).to_le_bytes())),
        false => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::rc::Rc;

    use super::*;
    use crate::gguf::Gguf;
    use crate::source::MemorySource;

    #[test]
    fn what_is_written_is_read() {
        let strings = |texts: &[&str]| Array::String(texts.iter().map(|&text| text.into()).collect());
        let values = [
            Value::Unsigned(7),
            Value::Unsigned(1 << 40),
            Value::Signed(-7),
            Value::Signed(-1 << 40),
            Value::Float(1e-5),
            Value::Float(f64::from(1e-5f32)),
            Value::Bool(true),
            Value::String("é".into()),
            Value::Array(Array::Unsigned(vec![1, 2])),
            Value::Array(Array::Unsigned(vec![1, 1 << 40])),
            Value::Array(Array::Signed(vec![1, -2])),
            Value::Array(Array::Float(vec![0.5, 0.1])),
            Value::Array(Array::Bool(vec![false, true])),
            Value::Array(strings(&["", "a"])),
            Value::Array(strings(&[])),
            Value::Array(Array::Array(vec![strings(&["b"]), Array::Signed(vec![3])])),
        ];
        let mut writer = HeaderWriter::new();
        for (number, value) in values.iter().enumerate() {
            writer.pair(&format!("key.{number}"), value);
        }
        assert_eq!(writer.tensor("a", DType::Q8_0, &[64, 3]), 204);
        assert_eq!(writer.tensor("b", DType::F32, &[5]), 20);
        assert_eq!(writer.data_bytes(), 224 + 32);
        let header = writer.to_bytes();
        let file = [header.clone(), vec![0; writer.data_bytes() as usize]].concat();
        let gguf = pollster::block_on(Gguf::open(vec![Rc::new(MemorySource::new("written", file))])).unwrap();
        for (number, value) in values.iter().enumerate() {
            assert_eq!(gguf.metadata.get(&format!("key.{number}")), Some(value));
        }
        let (a, b) = (gguf.tensor("a").unwrap(), gguf.tensor("b").unwrap());
        assert_eq!((a.dtype, &a.dims[..], a.offset), (DType::Q8_0, &[64, 3][..], header.len() as u64));
        assert_eq!((b.dtype, &b.dims[..], b.offset), (DType::F32, &[5][..], header.len() as u64 + 224));
    }

    /// What llama.cpp checks by type, and not by value.
    #[test]
    fn numbers_are_32_bits_wide_where_they_fit() {
        let kind = |value: &Value| {
            let mut out = Vec::new();
            put_value(&mut out, value);
            (u32::from_le_bytes(out[..4].try_into().unwrap()), out.len() - 4)
        };
        assert_eq!(kind(&Value::Unsigned(64)), (ValueType::U32 as u32, 4));
        assert_eq!(kind(&Value::Float(f64::from(1e-5f32))), (ValueType::F32 as u32, 4));
        assert_eq!(kind(&Value::Array(Array::Signed(vec![1, 3]))), (ValueType::Array as u32, 4 + 8 + 8));
    }
}
