//! A model with random weights, in memory: of any size, in the types of a real one, to test or to time a device with.

use std::rc::Rc;

use crate::error::{Error, Result};
use crate::gguf::{Gguf, HeaderWriter};
use crate::model::arch::Scale;
use crate::model::{ModelFile, random_values};
use crate::quant::SplitMix64;
use crate::source::{ByteSource, MemorySource};

/// A model of one layer, no wider than `most`, in the types of the first layer of `like`. It is the same each time.
///
/// # Errors
/// [`Error::TensorShape`] or [`Error::Malformed`] where rows of these sizes are not whole blocks of these types.
pub async fn model_like(like: &ModelFile, most: Scale, vocab_size: usize) -> Result<ModelFile> {
    let architecture = like.network.architecture.scaled(most, &|suffix| like.dtype_of(suffix));
    let mut header = HeaderWriter::new();
    architecture.to_pairs().iter().for_each(|(key, value)| header.pair(key, value));
    let mut data = Vec::new();
    let mut random = SplitMix64::new(7);
    for spec in &architecture.network(vocab_size, like.network.tied_head).tensors {
        let dtype = like.dtype_of(spec.suffix);
        let bytes = header.tensor(&spec.name(), dtype, &spec.dims());
        random_values(spec, dtype, &mut random, |chunk| {
            data.extend_from_slice(chunk);
            Ok::<_, Error>(())
        })?;
        data.resize(data.len() + HeaderWriter::padding(bytes), 0);
    }
    let file = MemorySource::new("synthetic", [header.to_bytes(), data].concat());
    ModelFile::of(Gguf::open(vec![Rc::new(file) as Rc<dyn ByteSource>]).await?)
}
