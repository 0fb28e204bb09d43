//! Writes state files.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::numbers::write_halves;
use super::{
    A_NUMBER_OF_THE_STATE, CHECKSUM_BYTES, HEADER_BYTES, MAGIC, MAX_NOTES_BYTES, MAX_SHAPE_BYTES, Notes, ShapeNotes,
    Snapshot, StateShape, VERSION,
};
use crate::error::{Error, Result};

/// How a file holds a state's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// As they are: what is restored is equal bit for bit.
    #[default]
    F32,
    /// Half the bytes, and 11 bits of each number; `tests/record/` has what that does to logits.
    F16,
}

impl Numbers {
    pub(super) fn code(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
        }
    }

    /// Bytes of a tensor with this number of floats.
    pub(super) fn tensor_bytes(self, floats: usize) -> usize {
        match self {
            Self::F32 => 4 * floats,
            Self::F16 => 4 + 2 * floats,
        }
    }
}

pub fn to_bytes(snapshot: &Snapshot, numbers: Numbers) -> Result<Vec<u8>> {
    let Snapshot { model, shape, state, tokens, .. } = snapshot;
    if !state.is_finite() {
        return Err(Error::NotFinite { what: A_NUMBER_OF_THE_STATE.into() });
    }
    let notes = Notes {
        pending: snapshot.pending,
        sampler: snapshot.sampler.clone(),
        messages: snapshot.messages.clone(),
        beginning: snapshot.beginning.filter(|_| !tokens.is_empty()).map(|beginning| beginning.to_string()),
    };
    let notes = serde_json::to_vec(&notes).map_err(|error| Error::StateDamaged { problem: error.to_string() })?;
    let notes_bytes = u32::try_from(notes.len()).ok().filter(|&n| n <= MAX_NOTES_BYTES);
    let notes_bytes = notes_bytes.ok_or_else(|| Error::StateDamaged {
        problem: format!("its messages take {} bytes, more than a file holds", notes.len()),
    })?;
    let shape_notes = shape_notes(shape)?;
    let numbers_bytes: usize = state.tensors.iter().map(|tensor| numbers.tensor_bytes(tensor.len())).sum();
    let length = HEADER_BYTES + shape_notes.len() + 4 * tokens.len() + notes.len() + numbers_bytes + CHECKSUM_BYTES;
    let mut out = Vec::with_capacity(length);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(numbers.code().to_le_bytes());
    out.extend((length as u64).to_le_bytes());
    out.extend(model.0);
    // Both are far below 2^32: vocabularies and shapes are bounded.
    out.extend((shape.vocab_size as u32).to_le_bytes());
    out.extend((shape_notes.len() as u32).to_le_bytes());
    out.extend(notes_bytes.to_le_bytes());
    out.extend((tokens.len() as u64).to_le_bytes());
    out.extend(shape_notes);
    out.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
    out.extend(notes);
    for tensor in &state.tensors {
        match numbers {
            Numbers::F32 => {
                // As one copy: a state of 7B has ten million of them.
                let start = out.len();
                out.resize(start + 4 * tensor.len(), 0);
                let rooms = out[start..].chunks_exact_mut(4);
                rooms.zip(tensor).for_each(|(room, x)| room.copy_from_slice(&x.to_le_bytes()));
            }
            Numbers::F16 => write_halves(tensor, &mut out),
        }
    }
    let checksum = XxHash3_128::oneshot(&out);
    out.extend(checksum.to_le_bytes());
    assert_eq!(out.len(), length, "a state file is as long as its header says");
    Ok(out)
}

fn shape_notes(shape: &StateShape) -> Result<Vec<u8>> {
    let tensors = shape.tensors.iter();
    // Architectures keep every size far below 2^32.
    let tensors = tensors.map(|(name, rows, columns)| (name.clone(), *rows as u32, *columns as u32)).collect();
    let notes = ShapeNotes { architecture: shape.architecture.clone(), tensors };
    let notes = serde_json::to_vec(&notes).map_err(|error| Error::StateDamaged { problem: error.to_string() })?;
    match notes.len() <= MAX_SHAPE_BYTES as usize {
        true => Ok(notes),
        false => Err(Error::StateDamaged { problem: format!("its shape takes {} bytes", notes.len()) }),
    }
}
