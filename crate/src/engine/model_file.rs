//! A model's file, opened and understood: what loading, planning, loading again and every rank begin with.

use std::rc::Rc;

use super::LoadOptions;
use crate::error::Result;
use crate::gguf::Gguf;
use crate::model::{Config, Weights};
use crate::source::ByteSource;
use crate::tokenizer::Tokenizer;

/// One file, or the parts of a split set.
pub(crate) struct ModelFile {
    /// Its header.
    pub gguf: Gguf,
    /// The sizes that it states.
    pub config: Config,
    /// Where its tensors lie.
    pub weights: Weights,
}

impl ModelFile {
    /// Opens a whole model.
    ///
    /// # Errors
    /// What is wrong with the file; see [`crate::Error`].
    pub async fn open(sources: Vec<Rc<dyn ByteSource>>) -> Result<Self> {
        Self::of(Gguf::open(sources).await?)
    }

    /// Opens a model, or the first part of a set alone.
    ///
    /// # Errors
    /// As of [`ModelFile::open`].
    pub async fn open_start(sources: Vec<Rc<dyn ByteSource>>) -> Result<Self> {
        Self::of(Gguf::open_start(sources).await?)
    }

    fn of(gguf: Gguf) -> Result<Self> {
        let config = Config::from_metadata(&gguf.metadata)?;
        let weights = match gguf.is_partial() {
            true => Weights::find_in_part(&gguf, &config)?,
            false => Weights::find(&gguf, &config)?,
        };
        Ok(Self { gguf, config, weights })
    }

    /// The vocabulary, where the file has one.
    ///
    /// # Errors
    /// [`crate::Error::Vocabulary`] or [`crate::Error::PreTokenizer`] for one that cannot be used.
    pub fn tokenizer(&self, options: &LoadOptions) -> Result<Option<Tokenizer>> {
        if self.gguf.metadata.get("tokenizer.ggml.tokens").is_none() {
            return Ok(None);
        }
        let mut tokenizer = Tokenizer::from_metadata(&self.gguf.metadata)?;
        if let Some(now) = options.unix_seconds {
            tokenizer.set_now(now);
        }
        Ok(Some(tokenizer))
    }
}
