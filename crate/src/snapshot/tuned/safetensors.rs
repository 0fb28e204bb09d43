//! Reads safetensors: the length of a description (8 bytes), the description (JSON), and the numbers that it places. An own reader,
//! because the format is these three things and the `safetensors` crate adds lengths of a hostile file without a check.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{MAX_DESCRIPTION_BYTES, Tensor, Width, damaged, shortened};
use crate::error::Result;

/// The key of what is no tensor.
const METADATA: &str = "__metadata__";

#[derive(Debug, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

pub fn is_safetensors(bytes: &[u8]) -> bool {
    // A description begins with its brace, and none of this engine's is so long that the last bytes of its length count.
    bytes.get(8) == Some(&b'{') && bytes[5..8] == [0; 3]
}

pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>> {
    let (length, rest) = bytes.split_at_checked(8).ok_or_else(|| damaged("it ends in its length".into()))?;
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    if length > MAX_DESCRIPTION_BYTES as u64 {
        return Err(damaged(format!("its description has {length} bytes")));
    }
    let halves = rest.split_at_checked(length as usize);
    let (description, data) = halves.ok_or_else(|| damaged("it ends in its description".into()))?;
    let entries: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(description).map_err(|error| damaged(format!("its description: {error}")))?;
    let tensors = entries.into_iter().filter(|(name, _)| name != METADATA);
    tensors.map(|(name, entry)| tensor(name, entry, data)).collect()
}

fn tensor(name: String, entry: serde_json::Value, data: &[u8]) -> Result<Tensor<'_>> {
    let of = |problem: String| damaged(format!("`{}` {problem}", shortened(&name)));
    let Entry { dtype, shape, data_offsets: [start, end] } =
        serde_json::from_value(entry).map_err(|error| of(format!("is not described: {error}")))?;
    let width = match dtype.as_str() {
        "F32" => Width::F32,
        "F16" => Width::F16,
        "BF16" => Width::Bf16,
        other => return Err(of(format!("has numbers of type `{}`, not F32, F16 or BF16", shortened(other)))),
    };
    let floats = shape.iter().try_fold(1u64, |floats, &axis| floats.checked_mul(axis));
    let bytes = floats.and_then(|floats| floats.checked_mul(width.bytes() as u64));
    if bytes.is_none() || bytes != end.checked_sub(start) {
        return Err(of("has another length than its shape".into()));
    }
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let data = range.and_then(|(start, end)| data.get(start..end)).ok_or_else(|| of("ends too early".into()))?;
    let mut strides = vec![1u64; shape.len()];
    for axis in (1..shape.len()).rev() {
        // Shapes whose product overflows are refused above; one of no number may still have any axes.
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    Ok(Tensor { name, width, shape, strides, offset: 0, data })
}
