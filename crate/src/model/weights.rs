//! Finds a model's tensors in a file and checks their shapes.

use super::{Config, Part, TensorKind, WeightId};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Tensor};
use crate::quant::DType;

/// One tensor that the plan uses, as a (rows, columns) matrix; vectors have one row.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Where its bytes are, and their type.
    pub tensor: Tensor,
    /// Rows: outputs of a matrix product.
    pub rows: usize,
    /// Columns: inputs of a matrix product.
    pub columns: usize,
    /// True where kernels index it as plain f32 (norm weights, biases, conv taps, A and D): an executor decodes it at load.
    pub elementwise: bool,
    /// Which part of the tensor these rows and columns are; none where they are all of it.
    pub part: Option<Part>,
}

impl Weight {
    /// Bytes as the file has them, of the part that is kept.
    pub fn bytes(&self) -> u64 {
        match self.part {
            None => self.tensor.bytes,
            Some(_) => (self.tensor.dtype.row_bytes(self.columns).unwrap_or(0) * self.rows) as u64,
        }
    }
}

/// Weights of one layer.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // each is the tensor `blk.N.NAME`
pub struct LayerWeights {
    pub attn_norm: WeightId,
    pub ssm_in: WeightId,
    pub conv1d_weight: WeightId,
    pub conv1d_bias: WeightId,
    pub ssm_x: WeightId,
    pub ssm_dt: WeightId,
    pub ssm_dt_bias: WeightId,
    pub ssm_a: WeightId,
    pub ssm_d: WeightId,
    pub ssm_out: WeightId,
}

/// Every weight of a model, found and checked.
#[derive(Debug, Clone)]
pub struct Weights {
    pub(super) list: Vec<Weight>,
    /// Token embedding, (vocab_size, d_model).
    pub token_embd: WeightId,
    /// Final norm, (d_model).
    pub output_norm: WeightId,
    /// Head, (vocab_size, d_model); the embedding itself where the file has no head of its own.
    pub output: WeightId,
    /// One entry a layer.
    pub layers: Vec<LayerWeights>,
    /// Rows of the embedding.
    pub vocab_size: usize,
}

/// The largest vocabulary accepted; Falcon-Mamba has 65,024 tokens, the largest published ones about 262,144.
const MAX_VOCABULARY: u64 = 1 << 20;

impl Weights {
    /// Finds every tensor of the architecture and checks its shape.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorShape`]; [`Error::Vocabulary`] where the token list and the embedding
    /// disagree.
    pub fn find(gguf: &Gguf, config: &Config) -> Result<Self> {
        Self::find_with(gguf, config, |tensor| Err(Error::MissingTensor { tensor }))
    }

    /// As [`Weights::find`], for planning alone: tensors of parts that are not there are taken as F32 of no bytes.
    ///
    /// # Errors
    /// As of [`Weights::find`].
    pub fn find_in_part(gguf: &Gguf, config: &Config) -> Result<Self> {
        let absent = |name| Ok(Tensor { name, dtype: DType::F32, dims: Vec::new(), part: 0, offset: 0, bytes: 0 });
        Self::find_with(gguf, config, absent)
    }

    fn find_with(gguf: &Gguf, config: &Config, absent: fn(String) -> Result<Tensor>) -> Result<Self> {
        let vocab_size = vocab_size(gguf, config, absent)?;
        let mut finder = Finder { gguf, config, vocab_size, absent, list: Vec::new() };
        let token_embd = finder.find(TensorKind::TokenEmbd, 0)?;
        let output_norm = finder.find(TensorKind::OutputNorm, 0)?;
        let head = TensorKind::Output.spec(0, config, vocab_size).name;
        let output = match gguf.tensor(&head) {
            Some(_) => finder.find(TensorKind::Output, 0)?,
            None => token_embd,
        };
        let layers = (0..config.n_layers).map(|n| finder.layer(n)).collect::<Result<_>>()?;
        Ok(Self { list: finder.list, token_embd, output_norm, output, layers, vocab_size })
    }

    /// The weight with this id.
    pub fn get(&self, id: WeightId) -> &Weight {
        &self.list[id.0]
    }

    /// A tensor of this kind, of the first layer where every layer has one.
    pub fn example(&self, kind: TensorKind) -> Option<&Weight> {
        let layer = self.layers.first()?;
        Some(self.get(match kind {
            TensorKind::TokenEmbd => self.token_embd,
            TensorKind::OutputNorm => self.output_norm,
            TensorKind::Output => self.output,
            TensorKind::AttnNorm => layer.attn_norm,
            TensorKind::SsmIn => layer.ssm_in,
            TensorKind::Conv1dWeight => layer.conv1d_weight,
            TensorKind::Conv1dBias => layer.conv1d_bias,
            TensorKind::SsmX => layer.ssm_x,
            TensorKind::SsmDt => layer.ssm_dt,
            TensorKind::SsmDtBias => layer.ssm_dt_bias,
            TensorKind::SsmA => layer.ssm_a,
            TensorKind::SsmD => layer.ssm_d,
            TensorKind::SsmOut => layer.ssm_out,
        }))
    }

    /// All weights, by id.
    pub fn all(&self) -> &[Weight] {
        &self.list
    }

    /// Positions in [`Weights::all`] in the order of the file: a store keeps large chunks, and reads each once this way.
    pub fn in_file_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        order.sort_by_key(|&id| (self.list[id].tensor.part, self.list[id].tensor.offset));
        order
    }

    /// True where the head is the embedding.
    pub fn tied_head(&self) -> bool {
        self.output == self.token_embd
    }

    /// Number of parameters.
    pub fn parameters(&self) -> u64 {
        self.list.iter().map(|w| (w.rows * w.columns) as u64).sum()
    }

    /// Bytes of weights that decoding one token reads: every tensor once, but of an embedding that is not the head one row.
    pub fn bytes_per_token(&self) -> u64 {
        let whole: u64 = self.list.iter().map(|w| w.tensor.bytes).sum();
        if self.tied_head() {
            return whole;
        }
        let table = &self.get(self.token_embd).tensor;
        whole - table.bytes + table.bytes / self.vocab_size as u64
    }
}

fn vocab_size(gguf: &Gguf, config: &Config, absent: fn(String) -> Result<Tensor>) -> Result<usize> {
    // The name alone is wanted: how many rows the table has is what is asked here.
    let name = TensorKind::TokenEmbd.spec(0, config, 0).name;
    let Some(table) = gguf.tensor(&name) else {
        absent(name)?;
        return Ok(gguf.metadata.strings("tokenizer.ggml.tokens")?.len());
    };
    let rows = table.rows();
    if rows > MAX_VOCABULARY {
        let expected = vec![config.d_model as u64, MAX_VOCABULARY];
        return Err(Error::TensorShape { tensor: name, expected, found: table.dims.clone() });
    }
    if gguf.metadata.get("tokenizer.ggml.tokens").is_some() {
        let tokens = gguf.metadata.strings("tokenizer.ggml.tokens")?.len() as u64;
        if tokens != rows {
            let problem = format!("the token list has {tokens} entries and the embedding {rows} rows");
            return Err(Error::Vocabulary { problem });
        }
    }
    Ok(rows as usize)
}

struct Finder<'a> {
    gguf: &'a Gguf,
    config: &'a Config,
    vocab_size: usize,
    /// What stands for a tensor that is not there.
    absent: fn(String) -> Result<Tensor>,
    list: Vec<Weight>,
}

impl Finder<'_> {
    fn layer(&mut self, n: usize) -> Result<LayerWeights> {
        Ok(LayerWeights {
            attn_norm: self.find(TensorKind::AttnNorm, n)?,
            ssm_in: self.find(TensorKind::SsmIn, n)?,
            conv1d_weight: self.find(TensorKind::Conv1dWeight, n)?,
            conv1d_bias: self.find(TensorKind::Conv1dBias, n)?,
            ssm_x: self.find(TensorKind::SsmX, n)?,
            ssm_dt: self.find(TensorKind::SsmDt, n)?,
            ssm_dt_bias: self.find(TensorKind::SsmDtBias, n)?,
            ssm_a: self.find(TensorKind::SsmA, n)?,
            ssm_d: self.find(TensorKind::SsmD, n)?,
            ssm_out: self.find(TensorKind::SsmOut, n)?,
        })
    }

    fn find(&mut self, kind: TensorKind, layer: usize) -> Result<WeightId> {
        let spec = kind.spec(layer, self.config, self.vocab_size);
        let Some(tensor) = self.gguf.tensor(&spec.name) else {
            let tensor = (self.absent)(spec.name)?;
            return Ok(self.push(tensor, kind, spec.rows, spec.columns));
        };
        let expected = [spec.columns as u64, spec.rows as u64];
        // Trailing dimensions of 1 say nothing.
        let fits = (0..tensor.dims.len().max(2))
            .all(|i| tensor.dims.get(i).copied().unwrap_or(1) == expected.get(i).copied().unwrap_or(1));
        if !fits {
            let (expected, found) = (expected.to_vec(), tensor.dims.clone());
            return Err(Error::TensorShape { tensor: spec.name, expected, found });
        }
        Ok(self.push(tensor.clone(), kind, spec.rows, spec.columns))
    }

    fn push(&mut self, tensor: Tensor, kind: TensorKind, rows: usize, columns: usize) -> WeightId {
        self.list.push(Weight { tensor, rows, columns, elementwise: kind.is_elementwise(), part: None });
        WeightId(self.list.len() - 1)
    }
}
