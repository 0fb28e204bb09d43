//! Finds a model's tensors in a file and checks their shapes.

use super::{Network, Op, TensorSpec, WeightId, WeightSlice};
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
    /// Which part of the tensor these rows and columns are; `None` for the whole tensor.
    pub slice: Option<WeightSlice>,
}

impl Weight {
    /// Bytes as the file has them, of the part that is kept.
    pub fn bytes(&self) -> u64 {
        match self.slice {
            None => self.tensor.bytes,
            Some(_) => (self.tensor.dtype.row_bytes(self.columns).unwrap_or(0) * self.rows) as u64,
        }
    }
}

/// Every weight of a model, found and checked, in the order of [`Network::tensors`].
#[derive(Debug, Clone)]
pub struct Weights {
    pub(super) list: Vec<Weight>,
}

impl Weights {
    /// Finds every tensor of a network and checks its shape. In the first part of a set, for planning alone, tensors that are not
    /// there are taken as F32 of no bytes.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorShape`].
    pub fn find(gguf: &Gguf, network: &Network) -> Result<Self> {
        let list = network.tensors.iter().map(|spec| find(gguf, spec)).collect::<Result<_>>()?;
        Ok(Self { list })
    }

    /// The weight with this id.
    pub fn get(&self, id: WeightId) -> &Weight {
        &self.list[id.0]
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

    /// Number of parameters.
    pub fn parameters(&self) -> u64 {
        self.list.iter().map(|w| (w.rows * w.columns) as u64).sum()
    }

    /// Bytes of weights that decoding one token reads: every tensor once, but of an embedding that is not the head one row.
    pub fn bytes_per_token(&self, network: &Network) -> u64 {
        let whole = self.file_bytes();
        if network.tied_head {
            return whole;
        }
        let tables = network.plan.steps().filter(|step| step.op == Op::Embed).flat_map(|step| &step.weights);
        let tables: u64 = tables.map(|&table| self.get(table).tensor.bytes).sum();
        whole - tables + tables / network.vocab_size as u64
    }

    /// Bytes of the tensors as the file has them.
    pub fn file_bytes(&self) -> u64 {
        self.list.iter().map(|w| w.tensor.bytes).sum()
    }
}

fn find(gguf: &Gguf, spec: &TensorSpec) -> Result<Weight> {
    let name = spec.name();
    let tensor = match gguf.tensor(&name) {
        Some(tensor) => tensor.clone(),
        None if gguf.is_partial() => Tensor { name, dtype: DType::F32, dims: Vec::new(), part: 0, offset: 0, bytes: 0 },
        None => return Err(Error::MissingTensor { tensor: name }),
    };
    let expected = [spec.columns as u64, spec.rows as u64];
    // Dimensions of 1 say nothing: a matrix of few rows may be {columns, 1, 1, rows}.
    let longer = |dims: &[u64]| dims.iter().copied().filter(|&dim| dim != 1).collect::<Vec<_>>();
    let fits = longer(&tensor.dims) == longer(&expected);
    if !fits && !tensor.dims.is_empty() {
        return Err(Error::TensorShape { tensor: tensor.name, expected: expected.to_vec(), found: tensor.dims });
    }
    let TensorSpec { rows, columns, elementwise, .. } = *spec;
    Ok(Weight { tensor, rows, columns, elementwise, slice: None })
}
