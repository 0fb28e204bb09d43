//! Which type each tensor has in a file of a type: the rules of llama.cpp's quantiser, as far as they concern the architectures here.

use clap::ValueEnum;
use web_mamba::model::TensorSpec;
use web_mamba::model::arch::{EMBEDDING, HEAD};
use web_mamba::quant::DType;

/// A file's type: llama.cpp's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(non_camel_case_types)] // the names are llama.cpp's own
pub enum FileType {
    F32,
    F16,
    BF16,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_1")]
    Q4_1,
    #[value(name = "q5_0")]
    Q5_0,
    #[value(name = "q5_1")]
    Q5_1,
    Q2_K,
    Q3_K_M,
    Q4_K_M,
    Q5_K_M,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
}

impl FileType {
    /// The number in `general.file_type` (`enum llama_ftype`), and the type of most matrices.
    fn row(self) -> (u64, DType) {
        match self {
            Self::F32 => (0, DType::F32),
            Self::F16 => (1, DType::F16),
            Self::BF16 => (32, DType::BF16),
            Self::Q8_0 => (7, DType::Q8_0),
            Self::Q4_0 => (2, DType::Q4_0),
            Self::Q4_1 => (3, DType::Q4_1),
            Self::Q5_0 => (8, DType::Q5_0),
            Self::Q5_1 => (9, DType::Q5_1),
            Self::Q2_K => (10, DType::Q2_K),
            Self::Q3_K_M => (12, DType::Q3_K),
            Self::Q4_K_M => (15, DType::Q4_K),
            Self::Q5_K_M => (17, DType::Q5_K),
            Self::Q6_K => (18, DType::Q6_K),
            Self::IQ4_NL => (25, DType::IQ4_NL),
            Self::IQ4_XS => (30, DType::IQ4_XS),
        }
    }

    pub fn number(self) -> u64 {
        self.row().0
    }

    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The type of a tensor. `S`, `M` and `L` mixtures differ in tensors of attention and feed-forward only, which none has here;
    /// what is left are rules for the matrix that makes the logits, for RWKV's low-rank pairs, and for rows that are not whole blocks.
    pub fn dtype_of(self, tensor: &TensorSpec, tied_head: bool) -> DType {
        let base = self.row().1;
        if tensor.elementwise {
            return DType::F32;
        }
        if ["time_mix_w1.weight", "time_mix_w2.weight"].contains(&tensor.suffix) {
            return DType::F32;
        }
        if base.block_len() == 1 {
            return base;
        }
        if LOW_RANK.contains(&tensor.suffix) {
            return DType::F16;
        }
        let is_head = tensor.suffix == HEAD || tied_head && tensor.suffix == EMBEDDING;
        let wanted = match is_head {
            true if base == DType::Q8_0 || !fits(base, tensor.columns) => DType::Q8_0,
            true => DType::Q6_K,
            false => base,
        };
        let smaller = match wanted {
            DType::Q2_K | DType::Q3_K => DType::Q4_0,
            DType::Q4_K => DType::Q5_0,
            DType::Q5_K => DType::Q5_1,
            DType::Q6_K => DType::Q8_0,
            DType::IQ4_XS => DType::IQ4_NL,
            other => other,
        };
        let possible = [wanted, smaller].into_iter().find(|&dtype| fits(dtype, tensor.columns));
        possible.unwrap_or(DType::F16)
    }
}

/// Low-rank pairs that stay as the converter left them; those of the decay are always of f32.
const LOW_RANK: [&str; 6] = [
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
];

fn fits(dtype: DType, columns: usize) -> bool {
    columns.is_multiple_of(dtype.block_len())
}
