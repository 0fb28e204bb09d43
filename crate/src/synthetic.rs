//! Models with random weights: of any architecture, size and types, in memory or written anywhere, to test or to time with.

use std::rc::Rc;

use crate::error::Result;
use crate::gguf::{Gguf, HeaderWriter, Value};
use crate::model::arch::Scale;
use crate::model::{ModelFile, Network, TensorSpec, random_values};
use crate::quant::{DType, SplitMix64};
use crate::source::{ByteSource, MemorySource};

/// A model to be made. It is the same each time.
#[derive(Debug)]
pub struct Synthetic<'a> {
    /// Its lists; tensors say how their values are drawn.
    pub network: &'a Network,
    /// The type of each of its tensors.
    pub dtypes: Vec<DType>,
    /// What its header has beside what the architecture is read from.
    pub pairs: Vec<(String, Value)>,
    /// Another one gives other weights.
    pub seed: u64,
}

impl<'a> Synthetic<'a> {
    /// A model of a network, with the type that each of its tensors is given.
    pub fn new(network: &'a Network, dtype_of: impl FnMut(&TensorSpec) -> DType) -> Self {
        Self { network, dtypes: network.tensors.iter().map(dtype_of).collect(), pairs: Vec::new(), seed: 0 }
    }

    /// Writes the file from its beginning to its end, in pieces; gives its length in bytes.
    ///
    /// # Errors
    /// What `write` gives.
    ///
    /// # Panics
    /// Where rows are not whole blocks of their tensor's type.
    pub fn write<E>(&self, mut write: impl FnMut(&[u8]) -> Result<(), E>) -> Result<u64, E> {
        let (header, lengths) = self.header_writer();
        let start = header.to_bytes();
        write(&start)?;
        let mut random = SplitMix64::new(self.seed);
        for ((tensor, dtype), bytes) in self.network.tensors.iter().zip(&self.dtypes).zip(lengths) {
            random_values(tensor, *dtype, &mut random, &mut write)?;
            write(&vec![0; HeaderWriter::padding(bytes)])?;
        }
        Ok(start.len() as u64 + header.data_bytes())
    }

    /// The header alone, and the length in bytes of the whole file.
    ///
    /// # Panics
    /// As of [`Synthetic::write`].
    pub fn header(&self) -> (Vec<u8>, u64) {
        let (header, _) = self.header_writer();
        let start = header.to_bytes();
        let length = start.len() as u64 + header.data_bytes();
        (start, length)
    }

    /// The header, and the bytes of each tensor.
    fn header_writer(&self) -> (HeaderWriter, Vec<u64>) {
        let mut header = HeaderWriter::new();
        self.network.architecture.to_pairs().iter().for_each(|(key, value)| header.pair(key, value));
        self.pairs.iter().for_each(|(key, value)| header.pair(key, value));
        let tensors = self.network.tensors.iter().zip(&self.dtypes);
        let lengths = tensors.map(|(tensor, dtype)| header.tensor(&tensor.name(), *dtype, &tensor.dims())).collect();
        (header, lengths)
    }

    /// The whole file.
    ///
    /// # Panics
    /// As of [`Synthetic::write`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(_) = self.write(|piece| {
            bytes.extend_from_slice(piece);
            Ok::<_, std::convert::Infallible>(())
        });
        bytes
    }

    /// Makes it in memory and opens it.
    ///
    /// # Errors
    /// As of [`ModelFile::of`].
    ///
    /// # Panics
    /// As of [`Synthetic::write`].
    pub async fn open(&self) -> Result<ModelFile> {
        let file = MemorySource::new("synthetic", self.to_bytes());
        ModelFile::of(Gguf::open(vec![Rc::new(file) as Rc<dyn ByteSource>]).await?)
    }
}

/// A model of one layer, no wider than `most`, in the types of the first layer of `like`.
///
/// # Errors
/// As of [`ModelFile::of`].
pub async fn model_like(like: &ModelFile, most: Scale, vocab_size: usize) -> Result<ModelFile> {
    let architecture = like.network.architecture.scaled(most, &|suffix| like.dtype_of(suffix));
    let network = architecture.network(vocab_size, like.network.tied_head);
    let model = Synthetic { seed: 7, ..Synthetic::new(&network, |tensor| like.dtype_of(tensor.suffix)) };
    model.open().await
}
