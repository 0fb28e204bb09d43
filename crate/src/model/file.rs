//! A model's file, opened and understood: what loading, planning, loading again and every rank begin with.

use super::{Network, Weights, arch};
use crate::error::Result;
use crate::gguf::Gguf;
use crate::quant::DType;

/// One file, or the parts of a split set.
pub struct ModelFile {
    /// Its header.
    pub gguf: Gguf,
    /// What it describes.
    pub network: Network,
    /// Where its tensors lie.
    pub weights: Weights,
}

impl ModelFile {
    /// Understands a header.
    ///
    /// # Errors
    /// What is wrong with the file; see [`crate::Error`].
    pub fn of(gguf: Gguf) -> Result<Self> {
        let network = arch::network(&gguf)?;
        let weights = Weights::find(&gguf, &network)?;
        Ok(Self { gguf, network, weights })
    }

    /// The type of a matrix by its suffix: of the first layer that has it, where it is a layer's; F32 for what is no matrix.
    pub fn dtype_of(&self, suffix: &str) -> DType {
        let found = self.network.tensors.iter().zip(self.weights.all()).find(|(spec, _)| spec.suffix == suffix);
        match found {
            Some((spec, weight)) if !spec.elementwise => weight.tensor.dtype,
            _ => DType::F32,
        }
    }
}
