//! A network: what every part but `arch` sees of a model. Its tensors, its state and its forward pass, all as lists.

use std::rc::Rc;

use super::arch::{self, Architecture};
use super::plan::Plan;

/// Index of an axis in [`Network::axes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AxisId(pub usize);

/// A dimension along which ranks can share a model: channels, heads, tokens of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Its name, in the plural.
    pub name: &'static str,
    /// How many there are.
    pub length: usize,
}

/// Which part of a tensor a rank keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// All of it: small, and needed by every rank.
    Whole,
    /// The rows of its share of an axis.
    Rows {
        /// Which axis.
        axis: AxisId,
        /// How often the axis repeats in the rows: 2 where one half follows the other.
        repeats: usize,
    },
    /// The columns of its share of an axis. A product with such a weight is a partial sum.
    Columns {
        /// Which axis.
        axis: AxisId,
    },
}

/// How the values of a random tensor are drawn, so that activations stay near 1 through any number of layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// A matrix whose product is this many times as large as its input.
    Gain(f32),
    /// Evenly between two values.
    Between(f32, f32),
    /// Time steps between two values, each order of magnitude as likely as the other, before the softplus that makes them.
    TimeStep(f32, f32),
    /// -1, -2, ... along each row: the usual start of A (S4D-Real).
    Descending,
    /// One value.
    Constant(f32),
}

/// A tensor that a network needs, as a (rows, columns) matrix; vectors have one row.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// The layer that it belongs to, if any.
    pub layer: Option<usize>,
    /// Its name in a file, without the layer: `ssm_in.weight`.
    pub suffix: &'static str,
    /// Rows: outputs of a matrix product.
    pub rows: usize,
    /// Columns: inputs of a matrix product.
    pub columns: usize,
    /// True where kernels index it as plain f32 (norm weights, biases, taps): an executor decodes it at load.
    pub elementwise: bool,
    /// True where files keep vectors of one kind stacked along the fourth dimension, {columns, 1, 1, rows}, as llama.cpp expects them there.
    pub stacked: bool,
    /// Which part of it a rank keeps.
    pub cut: Cut,
    /// What a random model has there.
    pub init: Init,
}

impl TensorSpec {
    /// Its name in a file.
    pub fn name(&self) -> String {
        match self.layer {
            Some(layer) => format!("{}{}", arch::layer(layer), self.suffix),
            None => self.suffix.into(),
        }
    }

    /// The dimensions in a file, in ggml's order: columns first, and for a vector nothing else.
    pub fn dims(&self) -> Vec<u64> {
        let (columns, rows) = (self.columns as u64, self.rows as u64);
        match *self {
            Self { elementwise: true, rows: 1, .. } => vec![columns],
            Self { stacked: true, .. } => vec![columns, 1, 1, rows],
            _ => vec![columns, rows],
        }
    }
}

/// One tensor of the state, (rows, columns) of f32, all zero before the first token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSpec {
    /// Its name in a state file: `blk.0.ssm`.
    pub name: String,
    /// Rows, which follow `axis`.
    pub rows: usize,
    /// Floats a row.
    pub columns: usize,
    /// The axis whose shares the ranks keep; none where every rank keeps it whole.
    pub axis: Option<AxisId>,
}

impl StateSpec {
    /// Floats in all.
    pub fn floats(&self) -> usize {
        self.rows * self.columns
    }
}

/// A model as lists.
#[derive(Debug, Clone)]
pub struct Network {
    /// What made the lists.
    pub architecture: Rc<dyn Architecture>,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Number of layers.
    pub n_layers: usize,
    /// Tokens in the vocabulary: rows of the embedding.
    pub vocab_size: usize,
    /// True where the head is the embedding.
    pub tied_head: bool,
    /// What it can be cut along.
    pub axes: Vec<Axis>,
    /// Every tensor.
    pub tensors: Vec<TensorSpec>,
    /// All that the model remembers of what it has read.
    pub state: Vec<StateSpec>,
    /// The forward pass.
    pub plan: Plan,
}

impl Network {
    /// Bytes of the whole state, at any position.
    pub fn state_bytes(&self) -> usize {
        4 * self.state.iter().map(StateSpec::floats).sum::<usize>()
    }
}
