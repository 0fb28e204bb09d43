//! Work beside the texts that a model is at: it begins with a sequence's first state, and leaves the sequence, what is known of it, and
//! the checkpoints as they were.

use super::Model;
use crate::error::{Error, Result};
use crate::executor::Outputs;
use crate::pause::Pause;

impl Model {
    /// Runs `work` on the first sequence and takes that back to where it was, however the work ended.
    ///
    /// # Errors
    /// What the work gives, and [`Error::Gpu`] or [`Error::DeviceLost`] where the device fails: what the sequences have read is unknown
    /// then, and a generation that runs ends with [`Error::Busy`].
    pub(super) async fn aside<T>(&mut self, work: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.executor.read_state(0).await?;
        let histories = std::mem::take(&mut self.histories);
        let result = work(self).await;
        match self.executor.write_state(0, &before) {
            Ok(()) => self.histories = histories,
            Err(error) => {
                self.epoch += 1;
                return result.and(Err(error));
            }
        }
        result
    }

    /// Reads a chunk into the first sequence; gives the logits of `outputs`.
    pub(super) async fn read_aside(
        &mut self,
        chunk: &[u32],
        outputs: Outputs,
        pause: &mut dyn Pause,
    ) -> Result<Vec<f32>> {
        pause.pause().await?;
        self.executor.forward(0, chunk, outputs).await
    }

    /// Refuses tokens that are none of the vocabulary, before anything runs.
    pub(super) fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        let vocab_size = self.info.vocab_size;
        match tokens.iter().find(|&&token| token as usize >= vocab_size) {
            Some(&token) => Err(Error::TokenRange { token, vocab_size }),
            None => Ok(()),
        }
    }
}
