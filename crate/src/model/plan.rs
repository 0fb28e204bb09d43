//! The plan: the forward pass as a list of steps over named buffers, recorded once and run by any executor.

/// Index of a weight in [`super::Weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightId(pub usize);

/// Index of a buffer in [`Plan::buffers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BufferId(pub usize);

/// What the rows of a buffer stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One row a token of the chunk.
    Tokens,
    /// One row a token whose logits are wanted: the chunk's last tokens, in order.
    Outputs,
}

/// A buffer of f32, (rows, width).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Its name in `forward.rs`.
    pub name: &'static str,
    /// Floats a row.
    pub width: usize,
    /// What a row stands for.
    pub rows: Rows,
}

/// Columns `start .. start + width` of every row of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The buffer.
    pub buffer: BufferId,
    /// First column.
    pub start: usize,
    /// Number of columns.
    pub width: usize,
}

/// One step. Each is one kernel, of the same name on every executor.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `out = table[token]`, a row a token.
    Embed {
        /// (vocab_size, d_model).
        table: WeightId,
        /// (T, d_model).
        out: BufferId,
    },
    /// `out = x / sqrt(mean(x^2) + eps) * weight`. Where `out` has a row an output and `x` a row a token, the rows of the
    /// wanted tokens are taken.
    RmsNorm {
        /// What is normalised, row by row.
        x: View,
        /// One factor a column, or none.
        weight: Option<WeightId>,
        /// Added to the mean of squares.
        eps: f32,
        /// As wide as `x`, in another buffer.
        out: View,
    },
    /// `out = W x`, or `out += W x`.
    MatMul {
        /// (out.width, x.width).
        weight: WeightId,
        /// (T, columns).
        x: View,
        /// (T, rows).
        out: BufferId,
        /// True for `+=`: the residual.
        accumulate: bool,
    },
    /// `out = silu(conv1d(x) + bias)`, causal and depthwise; the layer's convolution state is read and left behind.
    Conv1dSilu {
        /// (T, d_inner).
        x: View,
        /// (d_inner, d_conv).
        weight: WeightId,
        /// (d_inner).
        bias: WeightId,
        /// Whose state.
        layer: usize,
        /// (T, d_inner).
        out: BufferId,
    },
    /// The selective scan and its gate, in place: `x` becomes `(C . s + D x) * silu(z)`; the layer's SSM state is read and
    /// left behind. In place because eight storage buffers are all that WebGPU promises a kernel.
    SelectiveScan {
        /// The input, and the output: (T, d_inner).
        x: BufferId,
        /// Time step before bias and softplus: (T, d_inner).
        dt: BufferId,
        /// (d_inner).
        dt_bias: WeightId,
        /// A, already negative: (d_inner, d_state).
        a: WeightId,
        /// D: (d_inner).
        d: WeightId,
        /// B: (T, d_state).
        b: View,
        /// C, in the same buffer as B: (T, d_state).
        c: View,
        /// The gate: (T, d_inner).
        z: View,
        /// Whose state.
        layer: usize,
    },
}

impl Step {
    /// The buffer that it writes.
    pub fn output(&self) -> BufferId {
        match self {
            Self::Embed { out, .. } | Self::MatMul { out, .. } | Self::Conv1dSilu { out, .. } => *out,
            Self::RmsNorm { out, .. } => out.buffer,
            Self::SelectiveScan { x, .. } => *x,
        }
    }
}

/// A model's forward pass.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every buffer that the steps name.
    pub buffers: Vec<Buffer>,
    /// From tokens to the residual stream after the last layer, leaving the state behind.
    pub layers: Vec<Step>,
    /// From the residual stream to the logits of the wanted tokens.
    pub head: Vec<Step>,
    /// (outputs, vocab_size).
    pub logits: BufferId,
}

impl Plan {
    /// The buffer with this id.
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0]
    }
}
