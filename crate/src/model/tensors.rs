//! Names and shapes of a Mamba model's tensors: the one list that finds them in a file and that makes new files.

use super::Config;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorKind {
    /// Token embedding, (vocab_size, d_model).
    TokenEmbd,
    /// Final norm, (d_model).
    OutputNorm,
    /// Head, (vocab_size, d_model); absent where it is the embedding.
    Output,
    /// Norm before the mixer, (d_model).
    AttnNorm,
    /// W_in, (2 d_inner, d_model): the channels' input, then the gate.
    SsmIn,
    /// Taps of the convolution, (d_inner, d_conv).
    Conv1dWeight,
    /// (d_inner).
    Conv1dBias,
    /// W_x, (dt_rank + 2 d_state, d_inner): dt, B and C.
    SsmX,
    /// W_dt, (d_inner, dt_rank).
    SsmDt,
    /// (d_inner).
    SsmDtBias,
    /// A, already negative, (d_inner, d_state).
    SsmA,
    /// D, (d_inner).
    SsmD,
    /// W_out, (d_model, d_inner).
    SsmOut,
}

/// A tensor that the architecture asks for, as a (rows, columns) matrix; vectors have one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// What it is for.
    pub kind: TensorKind,
    /// Its name in a file.
    pub name: String,
    /// Rows: outputs of a matrix product.
    pub rows: usize,
    /// Columns: inputs of a matrix product.
    pub columns: usize,
}

impl TensorKind {
    /// The tensors of each layer, in the order of their use.
    const LAYER: [Self; 10] = [
        Self::AttnNorm,
        Self::SsmIn,
        Self::Conv1dWeight,
        Self::Conv1dBias,
        Self::SsmX,
        Self::SsmDt,
        Self::SsmDtBias,
        Self::SsmA,
        Self::SsmD,
        Self::SsmOut,
    ];

    /// True where kernels index it as plain f32 and no matrix product reads it; such tensors are F32 in every file of
    /// llama.cpp's converter.
    pub fn is_elementwise(self) -> bool {
        !matches!(self, Self::TokenEmbd | Self::Output | Self::SsmIn | Self::SsmX | Self::SsmDt | Self::SsmOut)
    }

    /// The tensor of this kind in a model of these sizes; `layer` says nothing for the three that are no layer's.
    pub fn spec(self, layer: usize, c: &Config, vocab_size: usize) -> TensorSpec {
        let (suffix, rows, columns) = match self {
            Self::TokenEmbd => return self.outside_layers("token_embd.weight", vocab_size, c.d_model),
            Self::OutputNorm => return self.outside_layers("output_norm.weight", 1, c.d_model),
            Self::Output => return self.outside_layers("output.weight", vocab_size, c.d_model),
            Self::AttnNorm => ("attn_norm.weight", 1, c.d_model),
            Self::SsmIn => ("ssm_in.weight", 2 * c.d_inner, c.d_model),
            Self::Conv1dWeight => ("ssm_conv1d.weight", c.d_inner, c.d_conv),
            Self::Conv1dBias => ("ssm_conv1d.bias", 1, c.d_inner),
            Self::SsmX => ("ssm_x.weight", c.dbc_width(), c.d_inner),
            Self::SsmDt => ("ssm_dt.weight", c.d_inner, c.dt_rank),
            Self::SsmDtBias => ("ssm_dt.bias", 1, c.d_inner),
            Self::SsmA => ("ssm_a", c.d_inner, c.d_state),
            Self::SsmD => ("ssm_d", 1, c.d_inner),
            Self::SsmOut => ("ssm_out.weight", c.d_model, c.d_inner),
        };
        TensorSpec { kind: self, name: format!("blk.{layer}.{suffix}"), rows, columns }
    }

    fn outside_layers(self, name: &str, rows: usize, columns: usize) -> TensorSpec {
        TensorSpec { kind: self, name: name.into(), rows, columns }
    }
}

impl TensorSpec {
    /// The dimensions in a file, in ggml's order: columns first, and for a vector nothing else.
    pub fn dims(&self) -> Vec<u64> {
        let vector = self.kind.is_elementwise() && self.rows == 1;
        let dims = [self.columns as u64, self.rows as u64];
        dims[..if vector { 1 } else { 2 }].to_vec()
    }
}

/// Every tensor of a model; without a head where the embedding is the head.
pub fn tensors(config: &Config, vocab_size: usize, tied_head: bool) -> Vec<TensorSpec> {
    let head = (!tied_head).then_some(TensorKind::Output);
    let outside = [TensorKind::TokenEmbd, TensorKind::OutputNorm].into_iter().chain(head).map(|kind| (kind, 0));
    let layers = (0..config.n_layers).flat_map(|layer| TensorKind::LAYER.map(|kind| (kind, layer)));
    outside.chain(layers).map(|(kind, layer)| kind.spec(layer, config, vocab_size)).collect()
}
