//! What each of a model's sequences has read: followed token by token, so that its state can be saved, restored, forked, and
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

/// The history of a sequence.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Every token read, oldest first.
    tokens: Vec<u32>,
    /// Tokens of a completion that are not read yet: the one that was sampled last, or several where the others were the only ones
    /// possible.
    pending: Vec<u32>,
    /// How the last of them was sampled.
    sampler: Option<SamplerState>,
}

impl Model {
    /// Identifies this model in states.
    pub fn hash(&self) -> ModelHash {
        self.hash
    }

    /// The snapshots that prompts can begin from.
    pub fn checkpoints(&mut self) -> &mut Checkpoints {
        &mut self.checkpoints
    }

    /// The model's present state, as a value. A clone of it is a fork.
    ///
    /// # Errors
    /// [`Error::StateUnknown`] where the executor was run directly, or for several sequences; [`Error::NotFinite`] for a state with a
    /// number that is not finite; [`Error::Gpu`] or [`Error::DeviceLost`] where the device fails.
    pub async fn save_state(&mut self) -> Result<Snapshot> {
        self.only_history()?;
        self.save_sequence(0).await
    }

    async fn save_sequence(&mut self, sequence: usize) -> Result<Snapshot> {
        self.read_pending(sequence).await?;
        let history = self.history(sequence).ok_or(UNKNOWN)?;
        let tokens: Rc<[u32]> = history.tokens.as_slice().into();
        let (pending, sampler) = (history.pending.first().copied(), history.sampler.clone());
        let state = self.executor.read_state(sequence).await?;
        assert_eq!(state.position, tokens.len() as u64, "the state is that of the tokens that were read");
        let shape = Rc::new(StateShape::new(self.executor.network()));
        let (model, beginning, state, messages) = (self.hash, self.beginning(), Rc::new(state), Vec::new());
        let snapshot = Snapshot { model, shape, beginning, state, tokens, pending, sampler, messages };
        self.check_state(&snapshot)?;
        Ok(snapshot)
    }

    /// Restores a snapshot, which is kept as a checkpoint too. A generation that still runs ends with [`Error::Busy`]. What is read anew
    /// from now on begins from what the snapshot began from: a snapshot without tokens, such as a tuned state, is the beginning itself.
    ///
    /// # Errors
    /// [`Error::StateModel`] or [`Error::StateShape`] for a state of another model, [`Error::NotFinite`] for one that is not
    /// finite: nothing changes then. [`Error::Gpu`] or [`Error::DeviceLost`] where the device fails.
    pub async fn restore_state(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.add_checkpoint(snapshot)?;
        let beginning = self.beginning_of(snapshot);
        self.begin_sequences(1).await?;
        self.beginning = beginning;
        self.go_to(0, snapshot)
    }

    /// Keeps a snapshot from outside as a checkpoint; the model's own state stays as it is.
    ///
    /// # Errors
    /// As of [`Snapshot::check`], and where the beginning was missing and is this snapshot, [`Error::Gpu`] or [`Error::DeviceLost`].
    pub fn add_checkpoint(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.check_state(snapshot)?;
        // Zeros need no keeping.
        if snapshot.position() > 0 || snapshot.beginning.is_some() {
            self.checkpoints.add(snapshot.clone(), CheckpointKind::Restored);
            self.complete_beginning()?;
        }
        Ok(())
    }

    /// Refuses a snapshot of another model, and one that is not finite.
    ///
    /// # Errors
    /// As of [`Snapshot::check`].
    pub fn check_state(&self, snapshot: &Snapshot) -> Result<()> {
        snapshot.check(&self.hash, self.executor.network())
    }

    /// How many of `tokens`, without the last, a generation would not have to read.
    pub fn known_tokens(&self, tokens: &[u32]) -> usize {
        let most = tokens.len().saturating_sub(1);
        self.present_in(0, tokens, most).max(self.checkpoints.known(self.beginning(), tokens, most))
    }

    /// How many tokens a sequence has read, where they are at most `most` and `tokens` begins with them; else 0.
    fn present_in(&self, sequence: usize, tokens: &[u32], most: usize) -> usize {
        let read = self.history(sequence).map_or(&[][..], |history| &history.tokens);
        if read.len() <= most && tokens.starts_with(read) { read.len() } else { 0 }
    }

    /// Logits after `tokens`, (vocab_size), read after what was read before.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`], [`Error::BeginningUnknown`], [`Error::Gpu`] or [`Error::DeviceLost`].
    pub async fn continue_logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.continue_logits_pausing(tokens, &mut NoPause).await
    }

    /// As [`Model::continue_logits`], with a pause before each chunk.
    ///
    /// # Errors
    /// As of [`Model::continue_logits`], and what a pause gives: the chunks before it are read then.
    pub async fn continue_logits_pausing(&mut self, tokens: &[u32], pause: &mut dyn Pause) -> Result<Vec<f32>> {
        self.require_beginning(0)?;
        let mut logits = Err(Error::EmptyPrompt);
        let mut rest = tokens;
        while !rest.is_empty() {
            pause.pause().await?;
            let (chunk, after) = rest.split_at(rest.len().min(self.executor.max_tokens()));
            let outputs = if after.is_empty() { Outputs::Last } else { Outputs::None };
            logits = Ok(self.read(0, chunk, outputs).await?);
            rest = after;
        }
        logits
    }

    /// Every token that was read, and those of a completion that were not.
    pub(crate) fn tokens_read(&self) -> Result<(&[u32], &[u32], Option<&SamplerState>)> {
        let history = self.only_history()?;
        Ok((&history.tokens, &history.pending, history.sampler.as_ref()))
    }

    /// The tokens of a sequence's completion that are not read yet; none where its history is unknown.
    pub(crate) fn pending(&self, sequence: usize) -> &[u32] {
        self.history(sequence).map_or(&[], |history| &history.pending)
    }

    /// Reads what is pending in a sequence but for the last token.
    async fn read_pending(&mut self, sequence: usize) -> Result<()> {
        let Some(History { pending, sampler, .. }) = self.history(sequence) else { return Ok(()) };
        let Some((&last, unread)) = pending.split_last().filter(|(_, unread)| !unread.is_empty()) else {
            return Ok(());
        };
        let (unread, sampler) = (unread.to_vec(), sampler.clone());
        for chunk in unread.chunks(self.executor.max_tokens()) {
            self.read(sequence, chunk, Outputs::None).await?;
        }
        if let Some(Some(history)) = self.histories.get_mut(sequence) {
            (history.pending, history.sampler) = (vec![last], sampler);
        }
        Ok(())
    }

    /// Brings a sequence to the longest known prefix of `tokens` without the last token, whose logits are needed. With `reuse` that
    /// is what it has read itself, or a checkpoint. Returns the number of known tokens.
    ///
    /// # Errors
    /// [`Error::BeginningUnknown`], [`Error::Gpu`] or [`Error::DeviceLost`].
    pub(crate) fn start_sequence(&mut self, sequence: usize, tokens: &[u32], reuse: bool) -> Result<usize> {
        if reuse {
            let most = tokens.len().saturating_sub(1);
            let present = self.present_in(sequence, tokens, most);
            match self.checkpoints.longest(self.beginning.hash(), tokens, most).cloned() {
                Some(snapshot) if snapshot.position() > present => {
                    self.go_to(sequence, &snapshot)?;
                    return Ok(snapshot.position());
                }
                _ if present > 0 => {
                    // What another completion would have read goes on no more.
                    if let Some(Some(history)) = self.histories.get_mut(sequence) {
                        history.pending.clear();
                    }
                    return Ok(present);
                }
                _ => {}
            }
        }
        self.reset(sequence).map(|()| 0)
    }

    /// Reads a chunk into a sequence.
    pub(crate) async fn read(&mut self, sequence: usize, chunk: &[u32], outputs: Outputs) -> Result<Vec<f32>> {
        let history = self.take_history(sequence);
        let logits = self.executor.forward(sequence, chunk, outputs).await?;
        self.put_history(sequence, history, chunk);
        Ok(logits)
    }

    /// Reads a chunk into a sequence and samples the token after it.
    pub(crate) async fn sample(&mut self, sequence: usize, chunk: &[u32], sampler: &mut Sampler) -> Result<u32> {
        let history = self.take_history(sequence);
        let id = self.executor.sample(sequence, chunk, sampler).await?;
        self.put_history(sequence, history, chunk);
        Ok(id)
    }

    /// Reads one token into each of some sequences and samples the one after each: see [`Executor::sample_batch`].
    ///
    /// [`Executor::sample_batch`]: crate::executor::Executor::sample_batch
    pub(crate) async fn sample_batch(
        &mut self,
        tokens: &[(usize, u32)],
        samplers: &mut [&mut Sampler],
    ) -> Result<Vec<u32>> {
        let histories: Vec<_> = tokens.iter().map(|&(sequence, _)| self.take_history(sequence)).collect();
        let mut samplers: Vec<&mut Sampler> = samplers.iter_mut().map(|sampler| &mut **sampler).collect();
        let ids = self.executor.sample_batch(tokens, &mut samplers).await?;
        for (&(sequence, token), history) in tokens.iter().zip(histories) {
            self.put_history(sequence, history, &[token]);
        }
        Ok(ids)
    }

    /// Notes a token whose event is out, and how the next will be sampled.
    pub(crate) fn note_pending(&mut self, sequence: usize, id: u32, sampler: &Sampler) {
        if let Some(Some(history)) = self.histories.get_mut(sequence) {
            history.pending.push(id);
            history.sampler = Some(sampler.state());
        }
    }

    /// Keeps a checkpoint of a sequence's present state, unless there is one or the budget has no room.
    ///
    /// # Errors
    /// [`Error::Gpu`] or [`Error::DeviceLost`].
    pub(crate) async fn keep_checkpoint(&mut self, sequence: usize, kind: CheckpointKind) -> Result<()> {
        self.read_pending(sequence).await?;
        let Some(history) = self.history(sequence).filter(|history| !history.tokens.is_empty()) else { return Ok(()) };
        let bytes = self.info.state_bytes + 4 * history.tokens.len();
        if bytes > self.checkpoints.budget() || self.checkpoints.has(self.beginning(), &history.tokens, kind) {
            return Ok(());
        }
        let snapshot = self.save_sequence(sequence).await?;
        self.checkpoints.add(snapshot, kind);
        Ok(())
    }

    /// Resets a sequence to the state before its first token.
    pub(super) fn reset(&mut self, sequence: usize) -> Result<()> {
        self.take_history(sequence);
        self.reset_to_beginning(sequence)?;
        self.put_history(sequence, Some(History::default()), &[]);
        Ok(())
    }

    fn go_to(&mut self, sequence: usize, snapshot: &Snapshot) -> Result<()> {
        self.take_history(sequence);
        self.executor.write_state(sequence, &snapshot.state)?;
        let (pending, sampler) = (snapshot.pending.into_iter().collect(), snapshot.sampler.clone());
        self.put_history(sequence, Some(History { tokens: snapshot.tokens.to_vec(), pending, sampler }), &[]);
        Ok(())
    }

    pub(super) fn history(&self, sequence: usize) -> Option<&History> {
        self.histories.get(sequence)?.as_ref()
    }

    /// The history of the only sequence.
    fn only_history(&self) -> Result<&History> {
        match self.histories.as_slice() {
            [Some(history)] => Ok(history),
            _ => Err(UNKNOWN),
        }
    }

    /// A sequence's history, which is unknown until it is put back: a call that changes the state may fail on the way.
    fn take_history(&mut self, sequence: usize) -> Option<History> {
        self.histories.get_mut(sequence)?.take()
    }

    fn put_history(&mut self, sequence: usize, history: Option<History>, read: &[u32]) {
        if let Some(place) = self.histories.get_mut(sequence) {
            *place = history.map(|history| history.after(read));
        }
    }
}

impl History {
    fn after(mut self, read: &[u32]) -> Self {
        if read.is_empty() {
            return self;
        }
        self.tokens.extend(read);
        Self { tokens: self.tokens, ..Self::default() }
    }
}

const UNKNOWN: Error = Error::StateUnknown { problem: "the tokens that led to it are not known" };
