//! Metadata of a GGUF file: typed values, and getters that name the key in their errors.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// A metadata value. Integers keep their sign and lose their width, which no key of ours depends on.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer type.
    Unsigned(u64),
    /// Any signed integer type.
    Signed(i64),
    /// `float32` or `float64`.
    Float(f64),
    /// `bool`.
    Bool(bool),
    /// `string`.
    String(String),
    /// An array; its elements are of one type.
    Array(Array),
}

/// A metadata array. The types that vocabularies use in bulk are stored flat.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Any unsigned integer type.
    Unsigned(Vec<u64>),
    /// Any signed integer type.
    Signed(Vec<i64>),
    /// `float32` or `float64`.
    Float(Vec<f64>),
    /// `bool`.
    Bool(Vec<bool>),
    /// `string`.
    String(Vec<String>),
    /// An array of arrays.
    Array(Vec<Array>),
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Unsigned(v) => v.len(),
            Self::Signed(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::String(v) => v.len(),
            Self::Array(v) => v.len(),
        }
    }

    /// True where there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Value {
    /// What this value is, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) => "an unsigned integer",
            Self::Signed(_) => "a signed integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a boolean",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
        }
    }
}

/// All key-value pairs of a file. Later duplicates of a key are refused by the reader.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: HashMap<String, Value>,
}

impl Metadata {
    /// Adds a pair; gives back `false` where the key was there already (the old value stays).
    pub fn insert(&mut self, key: String, value: Value) -> bool {
        if self.entries.contains_key(&key) {
            return false;
        }
        self.entries.insert(key, value);
        true
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// All pairs, sorted by key.
    pub fn sorted(&self) -> Vec<(&str, &Value)> {
        let mut pairs: Vec<_> = self.entries.iter().map(|(k, v)| (k.as_str(), v)).collect();
        pairs.sort_by_key(|(key, _)| *key);
        pairs
    }

    /// A required string.
    pub fn string(&self, key: &str) -> Result<&str> {
        self.opt_string(key)?.ok_or_else(|| missing(key))
    }

    /// An optional string; an error where the key holds something else.
    pub fn opt_string(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s)),
            Some(other) => Err(wrong(key, "a string", other)),
        }
    }

    /// A required non-negative integer that fits `u32`.
    pub fn u32(&self, key: &str) -> Result<u32> {
        self.opt_u32(key)?.ok_or_else(|| missing(key))
    }

    /// An optional non-negative integer that fits `u32`. Signed types are accepted where the value is not negative.
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>> {
        let value = match self.get(key) {
            None => return Ok(None),
            Some(Value::Unsigned(v)) => u32::try_from(*v).ok(),
            Some(Value::Signed(v)) => u32::try_from(*v).ok(),
            Some(other) => return Err(wrong(key, "a non-negative integer", other)),
        };
        match value {
            Some(v) => Ok(Some(v)),
            None => Err(Error::KeyValue {
                key: key.into(),
                expected: "an integer from 0 to 4294967295".into(),
                found: "a value outside it".into(),
            }),
        }
    }

    /// A required float that is finite as `f32`.
    pub fn f32(&self, key: &str) -> Result<f32> {
        match self.get(key) {
            None => Err(missing(key)),
            Some(Value::Float(v)) if (*v as f32).is_finite() => Ok(*v as f32),
            Some(Value::Float(v)) => {
                // As `f64` it may be finite: 1e300 is.
                Err(Error::KeyValue { key: key.into(), expected: "a finite 32-bit float".into(), found: v.to_string() })
            }
            Some(other) => Err(wrong(key, "a finite 32-bit float", other)),
        }
    }

    /// An optional boolean.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(v)) => Ok(Some(*v)),
            Some(other) => Err(wrong(key, "a boolean", other)),
        }
    }

    /// A required array of strings.
    pub fn strings(&self, key: &str) -> Result<&[String]> {
        match self.get(key) {
            None => Err(missing(key)),
            Some(Value::Array(Array::String(v))) => Ok(v),
            // An empty array may carry any element type.
            Some(Value::Array(a)) if a.is_empty() => Ok(&[]),
            Some(other) => Err(wrong(key, "an array of strings", other)),
        }
    }

    /// An optional array of integers, as `i64`.
    pub fn opt_integers(&self, key: &str) -> Result<Option<Vec<i64>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::Signed(v))) => Ok(Some(v.clone())),
            Some(Value::Array(Array::Unsigned(v))) => {
                Ok(Some(v.iter().map(|&x| i64::try_from(x).unwrap_or(i64::MAX)).collect()))
            }
            Some(Value::Array(a)) if a.is_empty() => Ok(Some(Vec::new())),
            Some(other) => Err(wrong(key, "an array of integers", other)),
        }
    }
}

fn missing(key: &str) -> Error {
    Error::MissingKey { key: key.into() }
}

fn wrong(key: &str, expected: &str, found: &Value) -> Error {
    Error::KeyValue { key: key.into(), expected: expected.into(), found: found.kind().into() }
}
