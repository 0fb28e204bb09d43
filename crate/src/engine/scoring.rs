//! How likely a model finds a text: the log-probability of each token after those before it, in one pass.

use super::Model;
use crate::error::{Error, Result};
use crate::executor::Outputs;
use crate::pause::Pause;
use crate::sampler::{HIGHEST_LOGIT, log_probability};

impl Model {
    /// The natural logarithm of the probability of each token of `continuation` after `prompt` and those before it, by the model's own
    /// logits. The prompt is read from the beginning, and no more than a chunk's logits are in memory. The model's state stays as it is.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`] without a prompt, after which alone a token has a probability; [`Error::TokenRange`],
    /// [`Error::NotFinite`], [`Error::BeginningUnknown`]; what a pause before a chunk gives; [`Error::Gpu`] or [`Error::DeviceLost`].
    pub async fn score(&mut self, prompt: &[u32], continuation: &[u32], pause: &mut dyn Pause) -> Result<Vec<f64>> {
        self.check_tokens(prompt)?;
        self.check_tokens(continuation)?;
        let Some((&last, before)) = prompt.split_last() else { return Err(Error::EmptyPrompt) };
        if continuation.is_empty() {
            return Ok(Vec::new());
        }
        self.aside(async |model: &mut Self| {
            model.reset_to_beginning(0)?;
            let mut rest = before;
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(model.executor.max_tokens()));
                model.read_aside(chunk, Outputs::None, pause).await?;
                rest = after;
            }
            // Each token is read for the one after it; the last is not read.
            let read: Vec<u32> =
                std::iter::once(last).chain(continuation.iter().copied()).take(continuation.len()).collect();
            model.predict(&read, continuation, pause).await
        })
        .await
    }

    /// The log-probability of each of `tokens` after the one of `read` at its place.
    async fn predict(&mut self, read: &[u32], tokens: &[u32], pause: &mut dyn Pause) -> Result<Vec<f64>> {
        let vocab_size = self.info.vocab_size;
        let mut all = Vec::with_capacity(tokens.len());
        while all.len() < read.len() {
            let rest = &read[all.len()..];
            let most = self.executor.max_tokens().min(self.executor.max_outputs());
            let chunk = &rest[..rest.len().min(most)];
            let logits = self.read_aside(chunk, Outputs::Each, pause).await?;
            for row in logits.chunks_exact(vocab_size) {
                let logprob = log_probability(row, tokens[all.len()]);
                if !logprob.is_finite() {
                    return Err(Error::NotFinite { what: HIGHEST_LOGIT.into() });
                }
                all.push(logprob);
            }
        }
        Ok(all)
    }

    /// The perplexity of a text: `exp(-mean)` of the log-probabilities of its tokens, each after all before it. The first token is not
    /// counted, since nothing is before it: it is BOS for a model that begins texts so. One state goes through the whole text, whatever
    /// its length. The model's state stays as it is.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for fewer than two tokens; else as of [`Model::score`].
    pub async fn perplexity(&mut self, tokens: &[u32], pause: &mut dyn Pause) -> Result<f64> {
        let (first, rest) = match tokens {
            [first, rest @ ..] if !rest.is_empty() => (*first, rest),
            _ => {
                let found = format!("a text of {} tokens", tokens.len());
                return Err(Error::InvalidArgument { argument: "text".into(), found, expected: "two tokens or more" });
            }
        };
        let logprobs = self.score(&[first], rest, pause).await?;
        Ok((-logprobs.iter().sum::<f64>() / logprobs.len() as f64).exp())
    }
}
