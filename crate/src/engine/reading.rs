//! What a model's first sequence has read: followed token by token, so that its state can be saved, restored, forked, and
//! found again by the tokens that a prompt begins with.

use std::rc::Rc;

use super::Model;
use crate::checkpoints::{CheckpointKind, Checkpoints};
use crate::error::{Error, Result};
use crate::executor::Outputs;
use crate::fingerprint::ModelHash;
use crate::pause::{NoPause, Pause};
use crate::sampler::{Sampler, SamplerState};
use crate::snapshot::{Snapshot, StateShape};

/// The past of a sequence.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Every token read, oldest first.
    tokens: Vec<u32>,
    /// A token that was chosen and not read yet.
    pending: Option<u32>,
    /// How it was chosen.
    sampler: Option<SamplerState>,
}

impl Model {
    /// Names this model in states.
    pub fn hash(&self) -> ModelHash {
        self.hash
    }

    /// The snapshots that prompts can begin from.
    pub fn checkpoints(&mut self) -> &mut Checkpoints {
        &mut self.checkpoints
    }

    /// What the model remembers now, as a value. A clone of it is a fork.
    ///
    /// # Errors
    /// [`Error::StateUnknown`] where the executor was run from outside, or for many sequences; [`Error::NotFinite`] where nothing
    /// follows from it; [`Error::Gpu`] or [`Error::DeviceLost`] where the device fails.
    pub async fn save_state(&mut self) -> Result<Snapshot> {
        let reading = self.reading.as_ref().ok_or(UNKNOWN)?;
        let tokens: Rc<[u32]> = reading.tokens.as_slice().into();
        let (pending, sampler) = (reading.pending, reading.sampler.clone());
        let state = self.executor.read_state(0).await?;
        assert_eq!(state.position, tokens.len() as u64, "the state is that of the tokens that were read");
        let shape = Rc::new(StateShape::new(self.executor.network()));
        let (model, state, messages) = (self.hash, Rc::new(state), Vec::new());
        let snapshot = Snapshot { model, shape, state, tokens, pending, sampler, messages };
        self.check_state(&snapshot)?;
        Ok(snapshot)
    }

    /// Takes the model to a snapshot, which is kept as a checkpoint too. An answer that still runs ends with [`Error::Busy`].
    ///
    /// # Errors
    /// [`Error::StateModel`] or [`Error::StateShape`] for a state of another model, [`Error::NotFinite`] for one from which nothing
    /// follows: nothing changes then. [`Error::Gpu`] or
    /// [`Error::DeviceLost`] where the device fails.
    pub async fn restore_state(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.add_checkpoint(snapshot)?;
        if self.executor.sequences() != 1 {
            self.begin_many(1).await?;
        }
        self.next_epoch();
        self.go_to(snapshot)
    }

    /// Keeps a snapshot from outside as a checkpoint; the model's own state stays as it is.
    ///
    /// # Errors
    /// As of [`Snapshot::check`].
    pub fn add_checkpoint(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.check_state(snapshot)?;
        self.checkpoints.add(snapshot.clone(), CheckpointKind::Restored);
        Ok(())
    }

    /// Refuses a snapshot of another model, and one from which nothing follows.
    ///
    /// # Errors
    /// As of [`Snapshot::check`].
    pub fn check_state(&self, snapshot: &Snapshot) -> Result<()> {
        snapshot.check(&self.hash, self.executor.network())
    }

    /// How many of `tokens`, the last one left out, an answer to them would not have to read.
    pub fn known_tokens(&self, tokens: &[u32]) -> usize {
        let most = tokens.len().saturating_sub(1);
        self.present_in(tokens, most).max(self.checkpoints.known(tokens, most))
    }

    /// Tokens that the first sequence has read, where `tokens` begins with them.
    fn present_in(&self, tokens: &[u32], most: usize) -> usize {
        let present = self.reading.as_ref().filter(|r| r.tokens.len() <= most && tokens.starts_with(&r.tokens));
        present.map_or(0, |reading| reading.tokens.len())
    }

    /// Logits after `tokens`, (vocab_size), read after what was read before.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`], [`Error::Gpu`] or [`Error::DeviceLost`].
    pub async fn continue_logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.continue_logits_pausing(tokens, &mut NoPause).await
    }

    /// The same with a pause before each chunk.
    ///
    /// # Errors
    /// As of [`Model::continue_logits`], and what a pause gives: the chunks before it are read then.
    pub async fn continue_logits_pausing(&mut self, tokens: &[u32], pause: &mut dyn Pause) -> Result<Vec<f32>> {
        let mut logits = Err(Error::EmptyPrompt);
        let mut rest = tokens;
        while !rest.is_empty() {
            pause.pause().await?;
            let (chunk, after) = rest.split_at(rest.len().min(self.executor.max_tokens()));
            let outputs = if after.is_empty() { Outputs::Last } else { Outputs::None };
            logits = Ok(self.read(chunk, outputs).await?);
            rest = after;
        }
        logits
    }

    /// Every token that was read, and the one that was chosen and not read.
    pub(crate) fn tokens_read(&self) -> Result<(&[u32], Option<u32>, Option<&SamplerState>)> {
        let reading = self.reading.as_ref().ok_or(UNKNOWN)?;
        Ok((&reading.tokens, reading.pending, reading.sampler.as_ref()))
    }

    /// Begins a reading of `tokens` at the longest start of them that is known, the last token left out: its logits are needed.
    /// Gives the reading's number (see [`Model::begin`]) and how many tokens are known.
    ///
    /// # Errors
    /// [`Error::Gpu`] or [`Error::DeviceLost`].
    pub(crate) async fn begin_at(&mut self, tokens: &[u32]) -> Result<(u64, usize)> {
        if self.executor.sequences() != 1 {
            self.begin_many(1).await?;
        }
        let most = tokens.len().saturating_sub(1);
        let present = self.present_in(tokens, most);
        match self.checkpoints.longest(tokens, most).cloned() {
            Some(snapshot) if snapshot.position() > present => {
                let epoch = self.next_epoch();
                self.go_to(&snapshot)?;
                Ok((epoch, snapshot.position()))
            }
            _ if present > 0 => Ok((self.next_epoch(), present)),
            _ => Ok((self.begin()?, 0)),
        }
    }

    /// Takes another sequence than the first to the longest known start of `tokens`, and gives its length.
    pub(crate) fn begin_sequence_at(&mut self, sequence: usize, tokens: &[u32], reuse: bool) -> Result<usize> {
        let most = tokens.len().saturating_sub(1);
        match self.checkpoints.longest(tokens, most).filter(|_| reuse) {
            Some(snapshot) => {
                self.executor.write_state(sequence, &snapshot.state)?;
                Ok(snapshot.position())
            }
            None => self.executor.reset(sequence).map(|()| 0),
        }
    }

    /// Reads a chunk into the first sequence.
    pub(crate) async fn read(&mut self, chunk: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        let reading = self.reading.take();
        let logits = self.executor.forward(0, chunk, outputs).await?;
        self.reading = reading.map(|reading| reading.after(chunk));
        Ok(logits)
    }

    /// Reads a chunk into the first sequence and chooses the token after it.
    pub(crate) async fn sample(&mut self, chunk: &[u32], sampler: &mut Sampler) -> Result<u32> {
        let reading = self.reading.take();
        let id = self.executor.sample(0, chunk, sampler).await?;
        self.reading = reading.map(|reading| reading.after(chunk));
        Ok(id)
    }

    /// Notes that a token was given out, and how the next will be chosen.
    pub(crate) fn note_pending(&mut self, id: u32, sampler: &Sampler) {
        if let Some(reading) = &mut self.reading {
            (reading.pending, reading.sampler) = (Some(id), Some(sampler.state()));
        }
    }

    /// Keeps a checkpoint of where the first sequence is, unless there is one, or no room for any.
    ///
    /// # Errors
    /// [`Error::Gpu`] or [`Error::DeviceLost`].
    pub(crate) async fn keep_checkpoint(&mut self, kind: CheckpointKind) -> Result<()> {
        let Some(reading) = self.reading.as_ref().filter(|reading| !reading.tokens.is_empty()) else { return Ok(()) };
        let bytes = self.info.state_bytes + 4 * reading.tokens.len();
        if bytes > self.checkpoints.budget() || self.checkpoints.has(&reading.tokens, kind) {
            return Ok(());
        }
        let snapshot = self.save_state().await?;
        self.checkpoints.add(snapshot, kind);
        Ok(())
    }

    /// Keeps a checkpoint of one of several sequences, which has read `tokens`, or all of them but the last few.
    pub(crate) async fn keep_sequence(&mut self, sequence: usize, tokens: &[u32], kind: CheckpointKind) -> Result<()> {
        if self.info.state_bytes + 4 * tokens.len() > self.checkpoints.budget() {
            return Ok(());
        }
        let state = Rc::new(self.executor.read_state(sequence).await?);
        let tokens = &tokens[..state.position as usize];
        if tokens.is_empty() || self.checkpoints.has(tokens, kind) {
            return Ok(());
        }
        let shape = Rc::new(StateShape::new(self.executor.network()));
        let (model, tokens, messages) = (self.hash, tokens.into(), Vec::new());
        let snapshot = Snapshot { model, shape, state, tokens, pending: None, sampler: None, messages };
        self.check_state(&snapshot)?;
        self.checkpoints.add(snapshot, kind);
        Ok(())
    }

    fn go_to(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.reading = None;
        self.executor.write_state(0, &snapshot.state)?;
        let Snapshot { pending, sampler, .. } = snapshot.clone();
        self.reading = Some(Reading { tokens: snapshot.tokens.to_vec(), pending, sampler });
        Ok(())
    }
}

impl Reading {
    fn after(mut self, chunk: &[u32]) -> Self {
        self.tokens.extend(chunk);
        Self { tokens: self.tokens, ..Self::default() }
    }
}

const UNKNOWN: Error = Error::StateUnknown { problem: "nobody knows which tokens made it" };
