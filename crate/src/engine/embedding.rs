//! Texts as vectors: the hidden states that the last norm gives, pooled to one.

use super::Model;
use crate::error::{Error, Result};
use crate::pause::Pause;

/// How the hidden states of a text become one vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean over all tokens.
    #[default]
    Mean,
    /// That of the last token, whose state has read them all.
    Last,
}

/// Options of [`Model::embed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbedOptions {
    /// How the hidden states become one vector.
    pub pooling: Pooling,
    /// Whether the vector is divided by its length, so that the product of two is the cosine of their angle.
    pub normalize: bool,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        Self { pooling: Pooling::Mean, normalize: true }
    }
}

impl Model {
    /// A vector, (d_model), for each of some texts, which are read from the beginning. The model's state stays as it is.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`] for a text without tokens, [`Error::TokenRange`], [`Error::NotFinite`], [`Error::BeginningUnknown`]; what
    /// a pause before a chunk gives; [`Error::Gpu`] or [`Error::DeviceLost`].
    pub async fn embed(
        &mut self,
        texts: &[Vec<u32>],
        options: EmbedOptions,
        pause: &mut dyn Pause,
    ) -> Result<Vec<Vec<f32>>> {
        for tokens in texts {
            self.check_tokens(tokens)?;
            if tokens.is_empty() {
                return Err(Error::EmptyPrompt);
            }
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        self.aside(async |model: &mut Self| {
            let mut vectors = Vec::with_capacity(texts.len());
            for tokens in texts {
                vectors.push(model.embed_one(tokens, options, pause).await?);
            }
            Ok(vectors)
        })
        .await
    }

    async fn embed_one(
        &mut self,
        tokens: &[u32],
        EmbedOptions { pooling, normalize }: EmbedOptions,
        pause: &mut dyn Pause,
    ) -> Result<Vec<f32>> {
        let width = self.info.d_model;
        // In f64, since a text may be long.
        let mut pooled = vec![0.0f64; width];
        self.reset_to_beginning(0)?;
        let mut rest = tokens;
        while !rest.is_empty() {
            pause.pause().await?;
            let (chunk, after) = rest.split_at(rest.len().min(self.executor.max_tokens()));
            let hidden = self.executor.hidden(0, chunk).await?;
            for row in hidden.chunks_exact(width) {
                match pooling {
                    Pooling::Mean => pooled.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v)),
                    Pooling::Last => pooled.iter_mut().zip(row).for_each(|(last, &v)| *last = f64::from(v)),
                }
            }
            rest = after;
        }
        let divisor = match (pooling, normalize) {
            (_, true) => pooled.iter().map(|v| v * v).sum::<f64>().sqrt(),
            (Pooling::Mean, false) => tokens.len() as f64,
            (Pooling::Last, false) => 1.0,
        };
        // A vector of no length has no direction, and stays as it is.
        let vector: Vec<f32> = pooled.iter().map(|v| (v / if divisor == 0.0 { 1.0 } else { divisor }) as f32).collect();
        match vector.iter().all(|v| v.is_finite()) {
            true => Ok(vector),
            false => Err(Error::NotFinite { what: "a hidden state of the model".into() }),
        }
    }
}
