//! A model with random weights, in memory: of any size, in the types of a real one, to test or to time a device with.

use std::rc::Rc;

use crate::error::{Error, Result};
use crate::gguf::{Gguf, HeaderWriter};
use crate::model::{Config, TensorKind, Weights, random_values, tensors};
use crate::quant::{DType, SplitMix64};
use crate::source::{ByteSource, MemorySource};

/// The type that a model's first layer has a kind of tensor in.
pub fn dtype_of(weights: &Weights, kind: TensorKind) -> DType {
    match weights.example(kind) {
        Some(weight) if !weight.elementwise => weight.tensor.dtype,
        _ => DType::F32,
    }
}

/// A model of these sizes, in the types of the first layer of `like`. It is the same each time.
///
/// # Errors
/// [`Error::TensorShape`] or [`Error::Malformed`] where rows of these sizes are not whole blocks of these types.
pub async fn model(sizes: Config, vocab_size: usize, like: &Weights) -> Result<(Gguf, Config, Weights)> {
    let specs = tensors(&sizes, vocab_size, like.tied_head());
    let mut header = HeaderWriter::new();
    sizes.to_pairs().iter().for_each(|(key, value)| header.pair(key, value));
    let mut data = Vec::new();
    let mut random = SplitMix64::new(7);
    for spec in &specs {
        let dtype = dtype_of(like, spec.kind);
        let bytes = header.tensor(&spec.name, dtype, &spec.dims());
        random_values(spec, dtype, &sizes, &mut random, |chunk| {
            data.extend_from_slice(chunk);
            Ok::<_, Error>(())
        })?;
        data.resize(data.len() + HeaderWriter::padding(bytes), 0);
    }
    let file = MemorySource::new("sample", [header.to_bytes(), data].concat());
    let gguf = Gguf::open(vec![Rc::new(file) as Rc<dyn ByteSource>]).await?;
    let weights = Weights::find(&gguf, &sizes)?;
    Ok((gguf, sizes, weights))
}
