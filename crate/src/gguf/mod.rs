//! GGUF files, versions 2 and 3: metadata and tensor index, read by ranges. Files are untrusted input: every count,
//! length, type and offset is checked before memory is taken for it, and each fault is an error that names its place.

mod metadata;
mod part;
mod reader;
mod samples;
mod split;
mod tensors;
mod values;
mod writer;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

pub use metadata::{Array, Metadata, Value};
pub use tensors::Tensor;
pub use writer::HeaderWriter;

use crate::error::{Error, Result};
use crate::source::ByteSource;
use part::Part;
use samples::Samples;

/// A model's metadata and tensor index, and access to the tensors' bytes. Of tensor data only what was asked for by [`Gguf::keep`] is held.
pub struct Gguf {
    /// The version of the format, 2 or 3.
    pub version: u32,
    /// The key-value pairs; of a split set, those of its first part.
    pub metadata: Metadata,
    /// In the order of the set.
    sources: Vec<Rc<dyn ByteSource>>,
    tensors: Vec<Tensor>,
    by_name: HashMap<String, usize>,
    partial: bool,
    samples: Samples,
}

impl Gguf {
    /// Reads the headers of a model: one file, or all files of a split set in any order.
    ///
    /// # Errors
    /// [`Error::NotGguf`], [`Error::GgufVersion`], [`Error::Truncated`], [`Error::TooLarge`], [`Error::Malformed`] or
    /// [`Error::TensorType`] for the first fault of a file; [`Error::Split`], [`Error::MissingKey`] or
    /// [`Error::KeyValue`] where the files are not one whole set; [`Error::Read`] where a source fails.
    pub async fn open(sources: Vec<Rc<dyn ByteSource>>) -> Result<Self> {
        let mut parts = Vec::new();
        for source in sources {
            parts.push(Part::read(source).await?);
        }
        Self::of(split::assemble(parts)?, false)
    }

    /// As [`Gguf::open`], but the first part of a split set may stand for all of it: enough to judge a model before the rest
    /// is fetched. Only the part's own tensors are there.
    ///
    /// # Errors
    /// As of [`Gguf::open`].
    pub async fn open_start(sources: Vec<Rc<dyn ByteSource>>) -> Result<Self> {
        if let [source] = sources.as_slice() {
            let part = Part::read(Rc::clone(source)).await?;
            let partial = split::is_of_set(&part)?;
            return Self::of(vec![part], partial);
        }
        Self::open(sources).await
    }

    /// Parts in the order of the set.
    fn of(parts: Vec<Part>, partial: bool) -> Result<Self> {
        let mut gguf = Self {
            partial,
            version: 0,
            metadata: Metadata::default(),
            sources: Vec::new(),
            tensors: Vec::new(),
            by_name: HashMap::new(),
            samples: Samples::default(),
        };
        for (number, part) in parts.into_iter().enumerate() {
            if number == 0 {
                gguf.version = part.version;
                gguf.metadata = part.metadata;
            }
            gguf.sources.push(part.source);
            for tensor in part.tensors {
                gguf.add_tensor(tensor)?;
            }
        }
        Ok(gguf)
    }

    fn add_tensor(&mut self, tensor: Tensor) -> Result<()> {
        // Within a file the reader refuses a second tensor of a name, so one found here is in another part.
        if self.by_name.insert(tensor.name.clone(), self.tensors.len()).is_some() {
            return Err(Error::Split { problem: format!("tensor `{}` is in two parts", tensor.name) });
        }
        self.tensors.push(tensor);
        Ok(())
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name).and_then(|&index| self.tensors.get(index))
    }

    /// All tensors, in the order of the file or of the set.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// True where other parts of the set are not there: see [`Gguf::open_start`].
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// The files, in the order that [`Tensor::part`] counts.
    pub fn sources(&self) -> &[Rc<dyn ByteSource>] {
        &self.sources
    }

    /// Length of all files together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.len()).sum()
    }

    /// Reads `length` bytes of a tensor from its byte `offset` on.
    ///
    /// # Errors
    /// [`Error::Read`] where the range is not inside the tensor or the source fails; [`Error::MissingTensor`] where the
    /// tensor is not of this model.
    pub async fn read(&self, tensor: &Tensor, offset: u64, length: usize) -> Result<Vec<u8>> {
        let (source, start) = self.locate(tensor, offset, length)?;
        if let Some(kept) = self.samples.get(tensor.part, &(start..start + length as u64)) {
            return Ok(kept);
        }
        let bytes = reader::read_exactly(source, start, length).await?;
        self.samples.pass(tensor.part, start, &bytes);
        Ok(bytes)
    }

    /// Has a range of a tensor kept when it is read with what surrounds it; [`Gguf::read`] of just this range then reads nothing. For
    /// ranges that are short.
    ///
    /// # Errors
    /// [`Error::Read`] where the range is not inside the tensor; [`Error::MissingTensor`] where the tensor is not of this model.
    pub fn keep(&self, tensor: &Tensor, offset: u64, length: usize) -> Result<()> {
        let (_, start) = self.locate(tensor, offset, length)?;
        self.samples.add(tensor.part, start..start + length as u64);
        Ok(())
    }

    /// Reads bytes `columns` of some of a tensor's rows, which are `stride` bytes long each.
    ///
    /// # Errors
    /// As of [`Gguf::read`].
    pub async fn read_columns(
        &self,
        tensor: &Tensor,
        stride: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Vec<u8>> {
        let (offset, length) = (rows.start as u64 * stride as u64, rows.len() * stride);
        let (source, start) = self.locate(tensor, offset, length)?;
        let wanted = rows.len() * columns.len();
        let whole = columns == (0..stride);
        let bytes = source.read_columns(start, stride, rows.len(), columns).await?;
        let bytes = reader::exactly(source, start, wanted, bytes)?;
        if whole {
            self.samples.pass(tensor.part, start, &bytes);
        }
        Ok(bytes)
    }

    fn locate(&self, tensor: &Tensor, offset: u64, length: usize) -> Result<(&dyn ByteSource, u64)> {
        let source = self.sources.get(tensor.part);
        let source = source.ok_or_else(|| Error::MissingTensor { tensor: tensor.name.clone() })?;
        let inside = offset.checked_add(length as u64).is_some_and(|end| end <= tensor.bytes);
        let start = tensor.offset.checked_add(offset).filter(|_| inside);
        let start = start.ok_or_else(|| Error::Read {
            what: format!("tensor `{}`", tensor.name),
            offset,
            length: length as u64,
            problem: format!("the tensor has only {} bytes", tensor.bytes),
        })?;
        Ok((&**source, start))
    }
}
