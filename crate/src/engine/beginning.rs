//! What a model begins from before its first token: zeros, or a tuned state. Whatever is read anew begins there, and a checkpoint is of
//! use to texts of its own beginning alone.

use std::rc::Rc;

use super::Model;
use super::history::History;
use crate::error::{Error, Result};
use crate::fingerprint::BeginningHash;
use crate::model::State;
use crate::snapshot::{Snapshot, TunedOrder};

/// The state before the first token.
#[derive(Debug, Clone, Default)]
pub(super) enum Beginning {
    #[default]
    Zeros,
    /// A tuned state.
    Tuned(BeginningHash, Rc<State>),
    /// A state that was restored began from it, and its numbers were never here: texts go on, and none can be read anew.
    Unknown(BeginningHash),
}

impl Beginning {
    pub fn hash(&self) -> Option<BeginningHash> {
        match self {
            Self::Zeros => None,
            Self::Tuned(hash, _) | Self::Unknown(hash) => Some(*hash),
        }
    }

    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl Model {
    /// What texts that are read anew begin from: `None` for zeros.
    pub fn beginning(&self) -> Option<BeginningHash> {
        self.beginning.hash()
    }

    /// Reads a state file, or a file of a state that was tuned for this model by another program: a snapshot at position 0, with the order
    /// that its numbers were taken in. Without `order` that follows from the file's name ([`TunedOrder::of_name`]).
    ///
    /// # Errors
    /// As of [`Snapshot::open`].
    pub fn open_state(
        &self,
        bytes: &[u8],
        name: &str,
        order: Option<TunedOrder>,
    ) -> Result<(Snapshot, Option<TunedOrder>)> {
        Snapshot::open(bytes, (name, order), &self.hash, self.executor.network())
    }

    /// Takes the model to a beginning that it knows, because it was restored or added as a checkpoint before: `None` for zeros. The present
    /// state stays where that is the beginning already. Returns whether its numbers are here; without them, only checkpoints that were
    /// made from it can be gone on from.
    ///
    /// # Errors
    /// [`Error::Gpu`] or [`Error::DeviceLost`].
    pub async fn begin_from(&mut self, beginning: Option<BeginningHash>) -> Result<bool> {
        self.complete_beginning()?;
        if beginning == self.beginning.hash() {
            return Ok(self.beginning.is_known());
        }
        let next = beginning.map_or(Beginning::Zeros, |hash| self.known_beginning(hash));
        self.begin_sequences(1).await?;
        self.beginning = next;
        if !self.beginning.is_known() {
            self.histories.fill_with(|| None);
            return Ok(false);
        }
        self.reset(0).map(|()| true)
    }

    /// The beginning with this hash, with its numbers where they are here.
    pub(super) fn known_beginning(&mut self, hash: BeginningHash) -> Beginning {
        if self.beginning.hash() == Some(hash) && self.beginning.is_known() {
            return self.beginning.clone();
        }
        match self.checkpoints.beginning(hash) {
            Some(snapshot) => Beginning::Tuned(hash, Rc::clone(&snapshot.state)),
            None => Beginning::Unknown(hash),
        }
    }

    /// The beginning that a snapshot was made from.
    pub(super) fn beginning_of(&mut self, snapshot: &Snapshot) -> Beginning {
        match snapshot.beginning {
            None => Beginning::Zeros,
            Some(hash) if snapshot.tokens.is_empty() => Beginning::Tuned(hash, Rc::clone(&snapshot.state)),
            Some(hash) => self.known_beginning(hash),
        }
    }

    /// Takes the numbers of the beginning, should they have been missing and be here now.
    pub(super) fn complete_beginning(&mut self) -> Result<()> {
        let Beginning::Unknown(hash) = self.beginning else { return Ok(()) };
        self.beginning = self.known_beginning(hash);
        // What has read a text goes on with it.
        if self.beginning.is_known() && matches!(self.histories.as_slice(), [None]) {
            self.reset(0)?;
        }
        Ok(())
    }

    /// Takes the sequences to the beginning after the executor has reset them. One alone may be read into at once; each of several is
    /// reset where its text begins. Where the numbers of the beginning are missing, what a sequence has read stays unknown.
    pub(super) fn begin_anew(&mut self) -> Result<()> {
        match &self.beginning {
            Beginning::Zeros => self.histories.iter_mut().for_each(|history| *history = Some(History::default())),
            Beginning::Tuned(..) if self.histories.len() == 1 => self.reset(0)?,
            Beginning::Tuned(..) | Beginning::Unknown(_) => self.histories.fill_with(|| None),
        }
        Ok(())
    }

    /// Writes the beginning into a sequence.
    pub(super) fn reset_to_beginning(&mut self, sequence: usize) -> Result<()> {
        match &self.beginning {
            Beginning::Zeros => self.executor.reset(sequence),
            Beginning::Tuned(_, state) => self.executor.write_state(sequence, state),
            Beginning::Unknown(hash) => Err(Error::BeginningUnknown { beginning: hash.to_string() }),
        }
    }

    /// Refuses to read after nothing where the beginning is missing.
    pub(super) fn require_beginning(&self, sequence: usize) -> Result<()> {
        match self.beginning {
            Beginning::Unknown(hash) if self.history(sequence).is_none() => {
                Err(Error::BeginningUnknown { beginning: hash.to_string() })
            }
            _ => Ok(()),
        }
    }
}
