//! One file: the fixed header, then metadata, then the tensor index, then (aligned) the tensors' data.

use std::rc::Rc;

use super::metadata::Metadata;
use super::reader::{Field, Reader};
use super::tensors::{self, Tensor};
use super::values;
use crate::error::{Error, Result};
use crate::source::ByteSource;

pub(super) const MAGIC: &[u8; 4] = b"GGUF";

/// A whole model, or one part of a split set.
pub(super) struct Part {
    pub source: Rc<dyn ByteSource>,
    pub version: u32,
    pub metadata: Metadata,
    /// In file order, with absolute offsets.
    pub tensors: Vec<Tensor>,
}

impl Part {
    /// Reads and checks everything but the tensors' data.
    pub async fn read(source: Rc<dyn ByteSource>) -> Result<Self> {
        let mut reader = Reader::new(&*source);
        read_magic(&mut reader).await?;
        let version = read_version(&mut reader).await?;

        let at = reader.position();
        let field = Field::of("tensor_count");
        let tensor_count = reader.u64(field).await?;
        reader.check_count(|| field.place(at), tensor_count, tensors::MIN_ENTRY_BYTES, tensors::MAX_TENSORS)?;

        let at = reader.position();
        let field = Field::of("metadata_kv_count");
        let pair_count = reader.u64(field).await?;
        reader.check_count(|| field.place(at), pair_count, values::MIN_PAIR_BYTES, values::MAX_PAIRS)?;

        let (metadata, alignment) = values::read_metadata(&mut reader, pair_count).await?;
        let mut tensors = tensors::read_tensors(&mut reader, tensor_count, alignment).await?;
        tensors::locate(&mut tensors, reader.position().next_multiple_of(alignment), source.len())?;
        Ok(Self { source, version, metadata, tensors })
    }
}

async fn read_magic(reader: &mut Reader<'_>) -> Result<()> {
    // A file shorter than the magic is truncated only as long as what there is could still become one.
    let there = reader.remaining().min(MAGIC.len() as u64) as usize;
    let field = Field::of("magic");
    let found = reader.take(there, field).await?;
    if !MAGIC.starts_with(found) {
        return Err(Error::NotGguf { found: found.to_vec() });
    }
    reader.take(MAGIC.len() - there, field).await?;
    Ok(())
}

/// Version 1 had 32-bit counts and is in no file of today. A big-endian file shows as a version with its bytes
/// swapped, since the magic reads the same either way.
async fn read_version(reader: &mut Reader<'_>) -> Result<u32> {
    match reader.u32(Field::of("version")).await? {
        version @ (2 | 3) => Ok(version),
        version => Err(Error::GgufVersion { version }),
    }
}
