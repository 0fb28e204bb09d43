//! The tensor index: names, types, shapes, and where each tensor's bytes are.

use std::collections::HashSet;

use super::reader::{Field, Reader};
use crate::error::{Error, Place, Result};
use crate::quant::{DType, are_finite};

/// Tensors in a file. Falcon-Mamba-7B has 643.
pub(super) const MAX_TENSORS: u64 = 1 << 16;

/// An entry is a name's length, a number of dimensions, one dimension, a type and an offset at least.
pub(super) const MIN_ENTRY_BYTES: u64 = 8 + 4 + 8 + 4 + 8;

/// The format's own limit (`GGML_MAX_NAME`).
const MAX_NAME_BYTES: u64 = 64;

/// The format's own limit (`GGML_MAX_DIMS`).
const MAX_DIMS: u32 = 4;

/// Values in one tensor. With [`MAX_OFFSET`] it keeps every sum of offset and size far below 2^53, the largest integer
/// that JavaScript holds exactly.
const MAX_VALUES: u64 = 1 << 48;

/// Bytes from the start of the data section to a tensor.
const MAX_OFFSET: u64 = 1 << 50;

/// One tensor of a model: what it is and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// The name, unique in the model.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// One to four dimensions, none of them zero, in ggml's order: `dims[0]` is the number of columns.
    pub dims: Vec<u64>,
    /// Which file of a split set holds it, counted from 0 in the set's own order; 0 for a model of one file.
    pub part: usize,
    /// The first byte, counted from the start of that file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
}

impl Tensor {
    /// Values in a row: the dimension that is contiguous in the file.
    pub fn columns(&self) -> u64 {
        self.dims.first().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all dimensions but the first.
    pub fn rows(&self) -> u64 {
        self.dims.iter().skip(1).product()
    }

    /// Refuses some of its bytes, whole blocks, whose values are not all finite: some instructions would compute numbers from
    /// them that look like any others, and some would not.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    pub fn check_finite(&self, bytes: &[u8]) -> Result<()> {
        match are_finite(self.dtype, bytes) {
            true => Ok(()),
            false => Err(Error::NotFinite { what: format!("a number of tensor `{}`", self.name) }),
        }
    }
}

/// Reads `count` entries. The offsets of the tensors are still relative to the data section, which starts after the
/// last entry; [`locate`] makes them absolute.
pub(super) async fn read_tensors(reader: &mut Reader<'_>, count: u64, alignment: u64) -> Result<Vec<Tensor>> {
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    for index in 0..count {
        let at = reader.position();
        let tensor = read_tensor(reader, index, alignment).await?;
        if !names.insert(tensor.name.clone()) {
            return Err(Field::of(&tensor.name).malformed(at, "the name appears twice"));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

async fn read_tensor(reader: &mut Reader<'_>, index: u64, alignment: u64) -> Result<Tensor> {
    let name = reader.string(MAX_NAME_BYTES, Field::of("tensor").at(index).part("name")).await?;
    let field = Field::of(&name);
    let dims_at = reader.position() + 4;
    let (dims, values) = read_dims(reader, field).await?;
    let dtype = read_type(reader, field).await?;

    let (columns, block) = (dims[0], dtype.block_len() as u64);
    if !columns.is_multiple_of(block) {
        let problem = format!("rows of {columns} values are not whole blocks of {block} ({dtype})");
        return Err(field.at(0).part("dimension").malformed(dims_at, problem));
    }

    let field = field.part("offset");
    let at = reader.position();
    let offset = reader.u64(field).await?;
    if offset > MAX_OFFSET {
        return Err(Error::TooLarge { place: field.place(at), count: offset, limit: MAX_OFFSET });
    }
    if !offset.is_multiple_of(alignment) {
        return Err(field.malformed(at, format!("{offset} is not a multiple of the alignment, {alignment}")));
    }
    let bytes = values / block * dtype.block_bytes() as u64;
    Ok(Tensor { name, dtype, dims, part: 0, offset, bytes })
}

/// The dimensions of a tensor, and the number of values that they make.
async fn read_dims(reader: &mut Reader<'_>, field: Field<'_>) -> Result<(Vec<u64>, u64)> {
    let at = reader.position();
    let place = || field.part("number of dimensions").place(at);
    let count = reader.u32(field.part("number of dimensions")).await?;
    if count == 0 {
        return Err(Error::Malformed { place: place(), problem: "a tensor has one dimension at least".into() });
    }
    if count > MAX_DIMS {
        return Err(Error::TooLarge { place: place(), count: count.into(), limit: MAX_DIMS.into() });
    }
    let mut dims = Vec::new();
    let mut values: u64 = 1;
    for index in 0..u64::from(count) {
        let field = field.at(index).part("dimension");
        let at = reader.position();
        let dim = reader.u64(field).await?;
        if dim == 0 {
            return Err(field.malformed(at, "it is zero"));
        }
        let limit = MAX_VALUES / values;
        if dim > limit {
            return Err(Error::TooLarge { place: field.place(at), count: dim, limit });
        }
        dims.push(dim);
        values *= dim;
    }
    Ok((dims, values))
}

async fn read_type(reader: &mut Reader<'_>, field: Field<'_>) -> Result<DType> {
    let number = reader.u32(field.part("type")).await?;
    DType::from_ggml(number).ok_or_else(|| Error::TensorType {
        tensor: field.name.into(),
        dtype: unsupported_name(number).map_or_else(|| format!("number {number}"), str::to_owned),
        needs_f32: false,
    })
}

/// Names of ggml's other types, so that the error says what a person reads on a model's page.
fn unsupported_name(number: u32) -> Option<&'static str> {
    Some(match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return None,
    })
}

/// Makes the offsets absolute, and refuses tensors that reach past the end of the file or into one another.
pub(super) fn locate(tensors: &mut [Tensor], data_start: u64, file_len: u64) -> Result<()> {
    for tensor in tensors.iter_mut() {
        tensor.offset += data_start;
        let available = file_len.saturating_sub(tensor.offset);
        if tensor.bytes > available {
            let place = Place::new(tensor.name.as_str(), tensor.offset);
            return Err(Error::Truncated { place, needed: tensor.bytes, available });
        }
    }
    let mut by_offset: Vec<&Tensor> = tensors.iter().collect();
    by_offset.sort_by_key(|tensor| tensor.offset);
    for pair in by_offset.windows(2) {
        let [before, after] = pair else { continue };
        if before.offset + before.bytes > after.offset {
            let problem = format!("it overlaps tensor `{}`", before.name);
            return Err(Field::of(&after.name).malformed(after.offset, problem));
        }
    }
    Ok(())
}
