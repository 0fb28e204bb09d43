//! Reads state files, which are untrusted: lengths are proved before memory is taken, and nothing in a file can panic.

use std::rc::Rc;

use twox_hash::XxHash3_128;

use super::numbers::read_halves;
use super::{CHECKSUM_BYTES, HEADER_BYTES, MAGIC, MAX_NOTES_BYTES, Notes, Numbers, Snapshot, StateShape, VERSION};
use crate::error::{Error, Result};
use crate::fingerprint::ModelHash;
use crate::model::State;

pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot> {
    if !bytes.starts_with(&MAGIC) {
        return Err(Error::NotState { found: bytes.iter().take(MAGIC.len()).copied().collect() });
    }
    let mut rest = Cursor { rest: &bytes[MAGIC.len()..] };
    let version = rest.u32()?;
    if version != VERSION {
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
    // From here on a fault is somebody's intent, or a bug of who wrote it.
    let model = ModelHash(rest.array()?);
    let mut size = || rest.u32().map(|size| size as usize);
    let (n_layers, d_inner, d_conv, d_state, vocab_size) = (size()?, size()?, size()?, size()?, size()?);
    let shape = StateShape { n_layers, d_inner, d_conv, d_state, vocab_size };
    let notes_bytes = rest.u32()?;
    let tokens = rest.u64()?;
    let expected = expected_length(&shape, numbers, tokens, notes_bytes);
    if notes_bytes > MAX_NOTES_BYTES || expected != Some(length) {
        return Err(damaged("its sizes do not fit its length".into()));
    }
    // The file is as long as all of these together, so each count fits memory.
    let tokens: Rc<[u32]> = (0..tokens).map(|_| rest.u32()).collect::<Result<_>>()?;
    let notes = rest.take(notes_bytes as usize)?;
    let notes: Notes = serde_json::from_slice(notes).map_err(|error| damaged(format!("its notes: {error}")))?;
    if tokens.iter().chain(&notes.pending).any(|&token| token as usize >= vocab_size) {
        return Err(damaged(format!("it holds tokens beyond its vocabulary of {vocab_size}")));
    }
    if let Some(sampler) = &notes.sampler {
        sampler.check().map_err(|error| damaged(format!("its sampler: {error}")))?;
    }
    let [conv, ssm] = shape.layer_floats();
    let state = State {
        position: tokens.len() as u64,
        conv: rest.floats(n_layers, conv, numbers)?,
        ssm: rest.floats(n_layers, ssm, numbers)?,
    };
    if !state.is_finite() {
        return Err(damaged("it holds numbers that are infinite or none".into()));
    }
    let Notes { pending, sampler, messages } = notes;
    Ok(Snapshot { model, shape, state: Rc::new(state), tokens, pending, sampler, messages })
}

fn damaged(problem: String) -> Error {
    Error::StateDamaged { problem }
}

fn expected_length(shape: &StateShape, numbers: Numbers, tokens: u64, notes: u32) -> Option<u64> {
    let (width, scale) = match numbers {
        Numbers::F32 => (4, 0),
        Numbers::F16 => (2, 4),
    };
    let taps = (shape.d_conv as u64).saturating_sub(1).checked_add(shape.d_state as u64)?;
    let layer = (shape.d_inner as u64).checked_mul(taps)?.checked_mul(width)?.checked_add(2 * scale)?;
    let state = (shape.n_layers as u64).checked_mul(layer)?;
    let others = (HEADER_BYTES + CHECKSUM_BYTES) as u64 + u64::from(notes);
    tokens.checked_mul(4)?.checked_add(state)?.checked_add(others)
}

/// What of the file is not read yet.
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

    /// `layers` of `floats` each.
    fn floats(&mut self, layers: usize, floats: usize, numbers: Numbers) -> Result<Vec<f32>> {
        match numbers {
            Numbers::F32 => {
                let bytes = self.take(layers.saturating_mul(floats).saturating_mul(4))?;
                Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            Numbers::F16 => {
                let mut out = Vec::new();
                for _ in 0..layers {
                    let scale = f32::from_le_bytes(self.array()?);
                    if !scale.is_normal() || scale < 0.0 {
                        return Err(damaged(format!("a layer's scale is {scale}")));
                    }
                    read_halves(self.take(floats.saturating_mul(2))?, scale, &mut out);
                }
                Ok(out)
            }
        }
    }
}
