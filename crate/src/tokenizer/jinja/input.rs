//! Values that a template is given.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Result;
use super::budget::Meter;
use super::value::Value;

/// A value that a template is given: what JSON can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Input>),
    /// In this order.
    Map(Vec<(String, Input)>),
}

impl Input {
    pub(super) fn bytes(&self) -> usize {
        let contents = match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(Self::bytes).sum(),
            Self::Map(entries) => entries.iter().map(|(key, value)| key.len() + value.bytes() + 64).sum(),
            _ => 0,
        };
        contents + 64
    }

    pub(super) fn value(&self, meter: &Meter) -> Result<Value> {
        match self {
            Self::None => Ok(Value::None),
            Self::Bool(value) => Ok(Value::Bool(*value)),
            Self::Int(value) => Ok(Value::Int(*value)),
            Self::Float(value) => Ok(Value::Float(*value)),
            Self::Text(text) => meter.text(text.as_str()),
            Self::List(items) => meter.list(items.iter().map(|item| item.value(meter)).collect::<Result<_>>()?),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((meter.text(key.as_str())?, value.value(meter)?)));
                meter.dict(entries.collect::<Result<_>>()?)
            }
        }
    }

    /// With all its texts, the names in maps too, changed by `change`.
    pub fn with_texts(self, change: &impl Fn(&str) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(&text)),
            Self::List(items) => Self::List(items.into_iter().map(|item| item.with_texts(change)).collect()),
            Self::Map(entries) => {
                Self::Map(entries.into_iter().map(|(key, value)| (change(&key), value.with_texts(change))).collect())
            }
            other => other,
        }
    }

    /// Calls `see` with all its texts.
    pub fn see_texts<'t>(&'t self, see: &mut impl FnMut(&'t str)) {
        match self {
            Self::Text(text) => see(text),
            Self::List(items) => items.iter().for_each(|item| item.see_texts(see)),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                see(key);
                value.see_texts(see);
            }),
            _ => {}
        }
    }
}

/// JSON with its maps in the order of the text, as Python has them.
impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Input;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> std::result::Result<Input, E> {
                Ok(Input::None)
            }

            fn visit_bool<E>(self, value: bool) -> std::result::Result<Input, E> {
                Ok(Input::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> std::result::Result<Input, E> {
                Ok(Input::Int(value))
            }

            fn visit_u64<E>(self, value: u64) -> std::result::Result<Input, E> {
                // Templates have whole numbers of 64 bits with a sign.
                Ok(i64::try_from(value).map_or(Input::Float(value as f64), Input::Int))
            }

            fn visit_f64<E>(self, value: f64) -> std::result::Result<Input, E> {
                Ok(Input::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> std::result::Result<Input, E> {
                Ok(Input::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Input, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Input::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Input, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Input::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
