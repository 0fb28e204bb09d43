//! Vocabularies for tests: those of files, and small ones made here.

use std::path::Path;
use std::rc::Rc;

use web_mamba::gguf::{Array, Gguf, Metadata, Value};
use web_mamba::source::{ByteSource, FileSource};

/// Metadata of a file below `tests/golden`.
pub fn golden(path: &str) -> Metadata {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(path);
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
    pollster::block_on(Gguf::open(vec![source])).unwrap().metadata
}

/// The same metadata with a key replaced, added or (with `None`) left out.
pub fn with(metadata: &Metadata, key: &str, value: Option<Value>) -> Metadata {
    let mut changed = Metadata::default();
    for (other, value) in metadata.sorted().into_iter().filter(|(other, _)| *other != key) {
        changed.insert(other.into(), value.clone());
    }
    if let Some(value) = value {
        changed.insert(key.into(), value);
    }
    changed
}

pub fn string(text: &str) -> Option<Value> {
    Some(Value::String(text.into()))
}

pub fn strings<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Option<Value> {
    Some(Value::Array(Array::String(texts.into_iter().map(Into::into).collect())))
}

/// The character that stands for a byte in token texts, as GPT-2 has it.
pub fn stand_in(byte: u8) -> char {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match printable(byte) {
        true => char::from(byte),
        false => char::from_u32(0x100 + (0..byte).filter(|b| !printable(*b)).count() as u32).unwrap(),
    }
}

/// All 256 bytes, then merges, then `(text, type)` of more tokens. Ids are in this order.
pub fn small(pre: &str, merges: &[(&str, &str)], more: &[(&str, i64)]) -> Metadata {
    let mut texts: Vec<String> = (0..=255).map(|byte| stand_in(byte).to_string()).collect();
    texts.extend(merges.iter().map(|(left, right)| format!("{left}{right}")));
    let mut types = vec![1; texts.len()];
    texts.extend(more.iter().map(|(text, _)| (*text).to_owned()));
    types.extend(more.iter().map(|(_, kind)| *kind));
    let mut metadata = Metadata::default();
    let mut put = |key: &str, value: Option<Value>| metadata.insert(format!("tokenizer.ggml.{key}"), value.unwrap());
    put("model", string("gpt2"));
    put("pre", string(pre));
    put("tokens", strings(texts));
    put("merges", strings(merges.iter().map(|(left, right)| format!("{left} {right}"))));
    put("token_type", Some(Value::Array(Array::Signed(types))));
    metadata
}

/// The id of a token text.
pub fn id_of(metadata: &Metadata, text: &str) -> u32 {
    metadata.strings("tokenizer.ggml.tokens").unwrap().iter().position(|t| t == text).unwrap() as u32
}

/// The World vocabulary's first 320 ids (0 ends a text, then all bytes and some pairs), then more tokens as they are written in a file.
pub fn small_world(more: &[&str]) -> Metadata {
    let world = golden("vocab/ggml-vocab-rwkv-world.gguf");
    let texts = &world.strings("tokenizer.ggml.tokens").unwrap()[..320];
    let texts: Vec<String> = texts.iter().cloned().chain(more.iter().map(|&text| text.to_owned())).collect();
    let mut types = vec![1; texts.len()];
    types[0] = 3;
    let world = with(&world, "tokenizer.ggml.token_type", Some(Value::Array(Array::Signed(types))));
    with(&world, "tokenizer.ggml.tokens", strings(texts))
}
