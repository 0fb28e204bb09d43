//! The architectures that this engine runs, a file each. A file has all that is particular to one: metadata keys, tensors and how
//! ranks share them, state, forward pass. Everything else works on the [`Network`] that it makes.

pub mod mamba;
pub mod rwkv7;
#[cfg(feature = "toy-architecture")]
pub mod toy;

use std::fmt;
use std::rc::Rc;

use super::{Network, TensorSpec};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Metadata, Value};
use crate::quant::DType;

/// Reads an architecture's sizes from a file.
type Read = fn(&Gguf) -> Result<Rc<dyn Architecture>>;

/// `general.architecture`, and what reads it.
const ARCHITECTURES: &[(&str, Read)] = &[
    (mamba::NAME, mamba::read),
    (rwkv7::NAME, rwkv7::read),
    #[cfg(feature = "toy-architecture")]
    (toy::NAME, toy::read),
];

/// The largest vocabulary accepted; Falcon-Mamba has 65,024 tokens, the largest published ones about 262,144.
const MAX_VOCABULARY: u64 = 1 << 20;

/// How wide a synthetic model is at the most.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of what a layer works on inside.
    pub inner: usize,
    /// Rank of its low-rank matrices.
    pub rank: usize,
}

/// The sizes of one model of an architecture.
pub trait Architecture: fmt::Debug {
    /// `general.architecture`.
    fn name(&self) -> &'static str;

    /// What people call it.
    fn family(&self) -> &'static str {
        self.name()
    }

    /// The sizes, for people, by name.
    fn sizes(&self) -> Vec<(&'static str, Value)>;

    /// The metadata that it is read from.
    fn to_pairs(&self) -> Vec<(&'static str, Value)>;

    /// A model of one layer, no wider than `most`, that runs the same kernels; `dtype` gives the type of each matrix of a layer by
    /// its suffix, whose blocks rows have to be made of.
    fn scaled(&self, most: Scale, dtype: &dyn Fn(&str) -> DType) -> Rc<dyn Architecture>;

    /// Tensors that files have because other readers ask for them, and that no step reads.
    fn unread_tensors(&self) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// Its lists.
    fn network(self: Rc<Self>, vocab_size: usize, tied_head: bool) -> Network;

    /// What files of states that were tuned for such a model hold, where there are such files; the rest of a tuned state is zero.
    fn tuned_states(&self) -> Vec<TunedState> {
        Vec::new()
    }
}

/// A tensor of a tuned state: a square matrix a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunedState {
    /// Its name in files, where its shape is (heads, size, size).
    pub name: String,
    /// The tensor of the state that it is, row by row.
    pub state: String,
    /// How many matrices.
    pub heads: usize,
    /// Rows and columns of each.
    pub size: usize,
}

/// What the name of a layer's tensor begins with.
pub fn layer(number: usize) -> String {
    format!("blk.{number}.")
}

/// The name of the embedding's tensor, which every architecture has.
pub const EMBEDDING: &str = "token_embd.weight";
/// The name of the head's tensor; absent where the embedding is the head.
pub const HEAD: &str = "output.weight";

/// The network of a file. Of a split set that is not all there, the vocabulary may tell what the embedding does not.
///
/// # Errors
/// [`Error::Architecture`] for one that is not in the list; [`Error::MissingKey`] or [`Error::KeyValue`] for a size that is absent, of
/// another type, or outside what the kernels hold; [`Error::MissingTensor`], [`Error::TensorShape`] or [`Error::Vocabulary`] where it
/// has no embedding that can be used.
pub fn network(gguf: &Gguf) -> Result<Network> {
    let found = gguf.metadata.string("general.architecture")?;
    let Some((_, read)) = ARCHITECTURES.iter().find(|(name, _)| *name == found) else {
        let names: Vec<_> = ARCHITECTURES.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(Error::Architecture { found: found.into(), supported: names.join(", ") });
    };
    let architecture = read(gguf)?;
    let vocab_size = vocab_size(gguf)?;
    Ok(architecture.network(vocab_size, gguf.tensor(HEAD).is_none()))
}

fn vocab_size(gguf: &Gguf) -> Result<usize> {
    let Some(table) = gguf.tensor(EMBEDDING) else {
        if !gguf.is_partial() {
            return Err(Error::MissingTensor { tensor: EMBEDDING.into() });
        }
        return Ok(gguf.metadata.strings("tokenizer.ggml.tokens")?.len());
    };
    let rows = table.rows();
    if rows > MAX_VOCABULARY {
        let expected = vec![table.dims.first().copied().unwrap_or(0), MAX_VOCABULARY];
        return Err(Error::TensorShape { tensor: EMBEDDING.into(), expected, found: table.dims.clone() });
    }
    if gguf.metadata.get("tokenizer.ggml.tokens").is_some() {
        let tokens = gguf.metadata.strings("tokenizer.ggml.tokens")?.len() as u64;
        if tokens != rows {
            let problem = format!("the token list has {tokens} entries and the embedding {rows} rows");
            return Err(Error::Vocabulary { problem });
        }
    }
    Ok(rows as usize)
}

/// A size from 1 to `limit`.
///
/// # Errors
/// [`Error::MissingKey`] or [`Error::KeyValue`].
pub(super) fn size(metadata: &Metadata, key: &str, limit: u32) -> Result<usize> {
    let value = metadata.u32(key)?;
    if value == 0 || value > limit {
        return Err(Error::KeyValue {
            key: key.into(),
            expected: format!("an integer from 1 to {limit}"),
            found: value.to_string(),
        });
    }
    Ok(value as usize)
}
