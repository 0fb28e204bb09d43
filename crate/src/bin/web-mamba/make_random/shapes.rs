//! Sizes of published models, from the `config.json` beside their weights, and of a tiny one.

use std::rc::Rc;

use clap::ValueEnum;
use web_mamba::gguf::Value;
use web_mamba::model::Network;
use web_mamba::model::arch::Architecture;
use web_mamba::model::arch::mamba::Mamba;
use web_mamba::model::arch::rwkv7::{Ranks, Rwkv7};
#[cfg(feature = "toy-architecture")]
use web_mamba::model::arch::toy::Toy;

use super::vocabulary;

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
    #[value(name = "rwkv7-0.1b")]
    Rwkv7100M,
    #[value(name = "rwkv7-0.4b")]
    Rwkv7400M,
    #[value(name = "rwkv7-1.5b")]
    Rwkv71500M,
    #[value(name = "rwkv7-2.9b")]
    Rwkv72900M,
    #[value(name = "rwkv7-7.2b")]
    Rwkv77200M,
    /// Two small Falcon-Mamba layers.
    Tiny,
    /// Two layers of the architecture that only tests have.
    #[cfg(feature = "toy-architecture")]
    Toy,
}

/// GPT-NeoX's 50,277 tokens, padded to a multiple of 8.
const NEOX_VOCABULARY: usize = 50280;

/// A Mamba of these sizes, or a Falcon-Mamba.
fn mamba(d_model: usize, n_layers: usize, dt_rank: usize, norm_dt_b_c: bool) -> Mamba {
    let d_inner = 2 * d_model;
    Mamba { d_model, d_inner, d_state: 16, d_conv: 4, dt_rank, n_layers, rms_eps: 1e-5, norm_dt_b_c }
}

/// An RWKV-7 of these sizes; ranks of decay and learning rate, of value residual, and of the gate.
fn rwkv7(d_model: usize, n_layers: usize, [decay, value_residual, gate]: [usize; 3]) -> Rwkv7 {
    let ranks = Ranks { decay, iclr: decay, value_residual, gate };
    Rwkv7 { d_model, head_size: 64, d_ffn: 4 * d_model, ranks, n_layers, eps: 1e-5 }
}

impl Shape {
    /// The sizes, with another number of layers where one is given.
    fn architecture(self, layers: Option<usize>) -> Rc<dyn Architecture> {
        let mamba = |d_model, n_layers, dt_rank| {
            Rc::new(mamba(d_model, layers.unwrap_or(n_layers), dt_rank, self.is_chat())) as Rc<dyn Architecture>
        };
        let rwkv7 = |d_model, n_layers, ranks| {
            Rc::new(rwkv7(d_model, layers.unwrap_or(n_layers), ranks)) as Rc<dyn Architecture>
        };
        match self {
            Self::FalconMamba7B => mamba(4096, 64, 256),
            Self::Mamba130M => mamba(768, 24, 48),
            Self::Mamba370M => mamba(1024, 48, 64),
            Self::Mamba790M => mamba(1536, 48, 96),
            Self::Mamba1400M => mamba(2048, 48, 128),
            Self::Mamba2800M => mamba(2560, 64, 160),
            Self::Rwkv7100M => rwkv7(768, 12, [64, 32, 128]),
            Self::Rwkv7400M => rwkv7(1024, 24, [64, 32, 128]),
            Self::Rwkv71500M => rwkv7(2048, 24, [96, 64, 256]),
            Self::Rwkv72900M => rwkv7(2560, 32, [96, 64, 320]),
            Self::Rwkv77200M => rwkv7(4096, 32, [128, 96, 480]),
            // Whole super-blocks but for dt_rank, so that every mixture with K types has its fallback.
            Self::Tiny => mamba(256, 2, 32),
            #[cfg(feature = "toy-architecture")]
            Self::Toy => Rc::new(Toy { d_model: 64, channels: 96, taps: 4, n_layers: layers.unwrap_or(2), eps: 1e-5 }),
        }
    }

    /// The network, of another number of layers where one is given.
    pub fn network(self, n_layers: Option<usize>) -> Network {
        self.architecture(n_layers).network(self.vocab_size(), !self.is_chat())
    }

    fn is_rwkv7(self) -> bool {
        use Shape::*;
        matches!(self, Rwkv7100M | Rwkv7400M | Rwkv71500M | Rwkv72900M | Rwkv77200M)
    }

    /// The keys of a vocabulary.
    pub fn vocabulary(self) -> Vec<(&'static str, Value)> {
        match self.is_rwkv7() {
            true => vocabulary::world(self.vocab_size()),
            false => vocabulary::byte_level(self.vocab_size(), self.is_chat()),
        }
    }

    pub fn vocab_size(self) -> usize {
        match self {
            Self::FalconMamba7B => 65024,
            _ if self.is_rwkv7() => 65536,
            Self::Tiny => 512,
            #[cfg(feature = "toy-architecture")]
            Self::Toy => 512,
            _ => NEOX_VOCABULARY,
        }
    }

    /// Falcon-Mamba and RWKV-7 have a head of their own and were tuned for chat.
    pub fn is_chat(self) -> bool {
        matches!(self, Self::FalconMamba7B | Self::Tiny) || self.is_rwkv7()
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
            (Shape::Rwkv7100M, 191),
            (Shape::Rwkv7400M, 451),
            (Shape::Rwkv71500M, 1527),
            (Shape::Rwkv72900M, 2948),
            (Shape::Rwkv77200M, 7199),
        ];
        for (shape, millions) in published {
            let tensors = shape.network(None).tensors;
            let parameters: usize = tensors.iter().map(|t| t.rows * t.columns).sum();
            assert_eq!((parameters + 500_000) / 1_000_000, millions, "{}", shape.name());
        }
    }
}
