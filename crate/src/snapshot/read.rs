//! Reads state files, which are untrusted: lengths are proved before memory is taken, and nothing in a file can panic.

use std::rc::Rc;

use twox_hash::XxHash3_128;

use super::numbers::read_halves;
use super::{
    CHECKSUM_BYTES, HEADER_BYTES, MAGIC, MAX_NOTES_BYTES, MAX_SHAPE_BYTES, Notes, Numbers, ShapeNotes, Snapshot,
    StateShape, VERSION,
};
use crate::error::{Error, Result};
use crate::fingerprint::{BeginningHash, ModelHash};
use crate::model::State;
use crate::model::arch::mamba;

pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot> {
    if !bytes.starts_with(&MAGIC) {
        return Err(Error::NotState { found: bytes.iter().take(MAGIC.len()).copied().collect() });
    }
    let mut rest = Cursor { rest: &bytes[MAGIC.len()..] };
    let version = rest.u32()?;
    if version == 0 || version > VERSION {
        return Err(Error::StateVersion { version, known: VERSION });
    }
    let numbers = match rest.u32()? {
        0 => Numbers::F32,
        1 => Numbers::F16,
        other => return Err(damaged(format!("its numbers are of type {other}"))),
    };
    let length = rest.u64()?;
    if length != bytes.len() as u64 {
        return Err(damaged(format!("it has {} bytes of {length}", bytes.len())));
    }
    let body = bytes.len().checked_sub(CHECKSUM_BYTES).filter(|&body| body >= HEADER_BYTES);
    let (body, checksum) = bytes.split_at(body.ok_or_else(|| damaged("it ends in its header".into()))?);
    if XxHash3_128::oneshot(body).to_le_bytes() != checksum {
        return Err(damaged("its checksum is another".into()));
    }
    // The checksum is right: a fault from here on is intended, or a bug of the writer.
    let mut rest = Cursor { rest: &body[body.len() - rest.rest.len() + CHECKSUM_BYTES..] };
    let model = ModelHash(rest.array()?);
    let shape =
        if version == 1 { StateHeader::first_version(&mut rest)? } else { StateHeader::second_version(&mut rest)? };
    let StateHeader { shape, order, notes_bytes, tokens } = shape;
    let expected = expected_bytes(&shape, numbers, tokens, notes_bytes);
    if notes_bytes > MAX_NOTES_BYTES || expected != Some(rest.rest.len() as u64) {
        return Err(damaged("its sizes do not fit its length".into()));
    }
    // The file is as long as all of these together, so each count fits memory.
    let tokens: Rc<[u32]> = (0..tokens).map(|_| rest.u32()).collect::<Result<_>>()?;
    let notes = rest.take(notes_bytes as usize)?;
    let notes: Notes = serde_json::from_slice(notes).map_err(|error| damaged(format!("its notes: {error}")))?;
    if tokens.iter().chain(&notes.pending).any(|&token| token as usize >= shape.vocab_size) {
        return Err(damaged(format!("it holds tokens beyond its vocabulary of {}", shape.vocab_size)));
    }
    if let Some(sampler) = &notes.sampler {
        sampler.check().map_err(|error| damaged(format!("its sampler: {error}")))?;
    }
    let mut tensors = vec![Vec::new(); shape.tensors.len()];
    for tensor in order {
        let (_, rows, columns) = shape.tensors[tensor];
        tensors[tensor] = rest.floats(rows * columns, numbers)?;
    }
    let state = State { position: tokens.len() as u64, tensors };
    if !state.is_finite() {
        return Err(damaged("it holds numbers that are infinite or none".into()));
    }
    let beginning = match (tokens.is_empty(), &notes.beginning) {
        (true, _) => BeginningHash::of(&state),
        (false, None) => None,
        (false, Some(text)) => Some(text.parse().map_err(|error| damaged(format!("its notes: {error}")))?),
    };
    let Notes { pending, sampler, messages, .. } = notes;
    Ok(Snapshot { model, shape: Rc::new(shape), beginning, state: Rc::new(state), tokens, pending, sampler, messages })
}

/// The header after the fields that all versions share: what precedes the tokens.
struct StateHeader {
    shape: StateShape,
    /// The tensors as they follow each other in the file.
    order: Vec<usize>,
    notes_bytes: u32,
    tokens: u64,
}

impl StateHeader {
    /// Mamba's sizes.
    fn first_version(rest: &mut Cursor<'_>) -> Result<Self> {
        let mut size = || rest.u32().map(|size| size as usize);
        let (n_layers, d_inner, d_conv, d_state, vocab_size) = (size()?, size()?, size()?, size()?, size()?);
        let (notes_bytes, tokens) = (rest.u32()?, rest.u64()?);
        // Layers without numbers take no bytes of the file, and would take memory here.
        if n_layers > mamba::MAX_LAYERS {
            return Err(damaged(format!("it has {n_layers} layers")));
        }
        let tensors = mamba::state_of(n_layers, d_inner, d_conv, d_state);
        let tensors: Vec<_> = tensors.into_iter().map(|tensor| (tensor.name, tensor.rows, tensor.columns)).collect();
        let order = (0..tensors.len()).step_by(2).chain((1..tensors.len()).step_by(2)).collect();
        let shape = StateShape { architecture: mamba::NAME.into(), tensors, vocab_size };
        Ok(Self { shape, order, notes_bytes, tokens })
    }

    fn second_version(rest: &mut Cursor<'_>) -> Result<Self> {
        let vocab_size = rest.u32()? as usize;
        let (shape_bytes, notes_bytes, tokens) = (rest.u32()?, rest.u32()?, rest.u64()?);
        if shape_bytes > MAX_SHAPE_BYTES {
            return Err(damaged(format!("its shape has {shape_bytes} bytes")));
        }
        let notes = rest.take(shape_bytes as usize)?;
        let notes: ShapeNotes =
            serde_json::from_slice(notes).map_err(|error| damaged(format!("its shape: {error}")))?;
        let tensors = notes.tensors.into_iter();
        let tensors: Vec<_> = tensors.map(|(name, rows, columns)| (name, rows as usize, columns as usize)).collect();
        let order = (0..tensors.len()).collect();
        let shape = StateShape { architecture: notes.architecture, tensors, vocab_size };
        Ok(Self { shape, order, notes_bytes, tokens })
    }
}

fn damaged(problem: String) -> Error {
    Error::StateDamaged { problem }
}

/// Bytes of tokens, notes and numbers.
fn expected_bytes(shape: &StateShape, numbers: Numbers, tokens: u64, notes: u32) -> Option<u64> {
    let (width, scale) = match numbers {
        Numbers::F32 => (4, 0),
        Numbers::F16 => (2, 4),
    };
    let mut total = tokens.checked_mul(4)?.checked_add(notes.into())?;
    for &(_, rows, columns) in &shape.tensors {
        let floats = (rows as u64).checked_mul(columns as u64)?;
        total = total.checked_add(floats.checked_mul(width)?)?.checked_add(scale)?;
    }
    Some(total)
}

/// The rest of the file.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| damaged("it ends too early".into()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The numbers of one tensor.
    fn floats(&mut self, floats: usize, numbers: Numbers) -> Result<Vec<f32>> {
        match numbers {
            Numbers::F32 => {
                let bytes = self.take(floats.saturating_mul(4))?;
                Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            Numbers::F16 => {
                let scale = f32::from_le_bytes(self.array()?);
                if !scale.is_normal() || scale < 0.0 {
                    return Err(damaged(format!("a tensor's scale is {scale}")));
                }
                let mut out = Vec::new();
                read_halves(self.take(floats.saturating_mul(2))?, scale, &mut out);
                Ok(out)
            }
        }
    }
}
