//! Sizes of published models, from the `config.json` beside their weights, and of a tiny one.

use clap::ValueEnum;
use std::rc::Rc;

use web_mamba::model::Network;
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::mamba::Mamba;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    #[value(name = "falcon-mamba-7b")]
    FalconMamba7B,
    #[value(name = "mamba-130m")]
    Mamba130M,
    #[value(name = "mamba-370m")]
    Mamba370M,
    #[value(name = "mamba-790m")]
    Mamba790M,
    #[value(name = "mamba-1.4b")]
    Mamba1400M,
    #[value(name = "mamba-2.8b")]
    Mamba2800M,
    /// Two small Falcon-Mamba layers.
    Tiny,
}

/// GPT-NeoX's 50,277 tokens, padded to a multiple of 8.
const NEOX_VOCABULARY: usize = 50280;

impl Shape {
    fn sizes(self, d_model: usize, n_layers: usize, dt_rank: usize) -> Mamba {
        let d_inner = 2 * d_model;
        Mamba {
            d_model,
            d_inner,
            d_state: 16,
            d_conv: 4,
            dt_rank,
            n_layers,
            rms_eps: 1e-5,
            norm_dt_b_c: self.is_falcon(),
        }
    }

    fn config(self) -> Mamba {
        match self {
            Self::FalconMamba7B => self.sizes(4096, 64, 256),
            Self::Mamba130M => self.sizes(768, 24, 48),
            Self::Mamba370M => self.sizes(1024, 48, 64),
            Self::Mamba790M => self.sizes(1536, 48, 96),
            Self::Mamba1400M => self.sizes(2048, 48, 128),
            Self::Mamba2800M => self.sizes(2560, 64, 160),
            // Whole super-blocks but for dt_rank, so that every mixture with K types has its fallback.
            Self::Tiny => self.sizes(256, 2, 32),
        }
    }

    /// The network, of another number of layers where one is given.
    pub fn network(self, n_layers: Option<usize>) -> Network {
        let config = self.config();
        let n_layers = n_layers.unwrap_or(config.n_layers);
        Rc::new(Mamba { n_layers, ..config }).network(self.vocab_size(), !self.is_falcon())
    }

    pub fn vocab_size(self) -> usize {
        match self {
            Self::FalconMamba7B => 65024,
            Self::Tiny => 512,
            _ => NEOX_VOCABULARY,
        }
    }

    /// Falcon-Mamba has a head of its own and was tuned for chat.
    pub fn is_falcon(self) -> bool {
        matches!(self, Self::FalconMamba7B | Self::Tiny)
    }

    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters as the checkpoints have them, in millions.
    #[test]
    fn shapes_have_the_published_numbers_of_parameters() {
        let published = [
            (Shape::FalconMamba7B, 7273),
            (Shape::Mamba130M, 129),
            (Shape::Mamba370M, 372),
            (Shape::Mamba790M, 793),
            (Shape::Mamba1400M, 1372),
            (Shape::Mamba2800M, 2768),
        ];
        for (shape, millions) in published {
            let tensors = shape.network(None).tensors;
            let parameters: usize = tensors.iter().map(|t| t.rows * t.columns).sum();
            assert_eq!((parameters + 500_000) / 1_000_000, millions, "{}", shape.name());
        }
    }
}
