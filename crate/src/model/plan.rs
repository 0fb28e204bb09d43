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

/// One step. Each is one kernel, of the same name on every executor; an executor may also join neighbouring steps.
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
        x: BufferId,
        /// One factor a column.
        weight: WeightId,
        /// Added to the mean of squares.
        eps: f32,
        /// As wide as `x`.
        out: BufferId,
    },
    /// `out = W x`, or `out += W x`.
    MatMul {
        /// (out.width, x.width).
        weight: WeightId,
        /// (T, columns).
        x: BufferId,
        /// (T, rows).
        out: BufferId,
        /// True for `+=`: the residual.
        accumulate: bool,
    },
    /// `out = silu(conv1d(x) + bias)`, causal and depthwise; the layer's convolution state is read and left behind.
    Conv1dSilu {
        /// x in its first half: (T, 2 d_inner).
        xz: BufferId,
        /// (d_inner, d_conv).
        weight: WeightId,
        /// (d_inner).
        bias: WeightId,
        /// Whose state.
        layer: usize,
        /// (T, d_inner).
        out: BufferId,
    },
    /// `dt, B, C = split(dbc)`, each divided by its root mean square where the model says so.
    SplitDtBC {
        /// (T, dt_rank + 2 d_state).
        dbc: BufferId,
        /// Added to the means of squares; none where nothing is normalised.
        eps: Option<f32>,
        /// (T, dt_rank).
        dt: BufferId,
        /// B, then C: (T, 2 d_state).
        bc: BufferId,
    },
    /// The selective scan and its gate: `out = (C . s + D x) * silu(z)`; the layer's SSM state is read and left behind.
    SelectiveScan {
        /// The input: (T, d_inner).
        x: BufferId,
        /// Time step before bias and softplus: (T, d_inner).
        dt: BufferId,
        /// (d_inner).
        dt_bias: WeightId,
        /// A, already negative: (d_inner, d_state).
        a: WeightId,
        /// D: (d_inner).
        d: WeightId,
        /// B, then C: (T, 2 d_state).
        bc: BufferId,
        /// The gate z in its second half: (T, 2 d_inner).
        xz: BufferId,
        /// Whose state.
        layer: usize,
        /// (T, d_inner).
        out: BufferId,
    },
}

impl Step {
    /// The buffer that it writes, the first of two for [`Step::SplitDtBC`].
    pub fn output(&self) -> BufferId {
        match self {
            Self::Embed { out, .. }
            | Self::RmsNorm { out, .. }
            | Self::MatMul { out, .. }
            | Self::Conv1dSilu { out, .. }
            | Self::SelectiveScan { out, .. } => *out,
            Self::SplitDtBC { dt, .. } => *dt,
        }
    }

    /// Every buffer that it writes.
    pub fn outputs(&self) -> impl Iterator<Item = BufferId> + use<> {
        let second = match self {
            Self::SplitDtBC { bc, .. } => Some(*bc),
            _ => None,
        };
        std::iter::once(self.output()).chain(second)
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

    /// All steps, of the layers and then of the head.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.layers.iter().chain(&self.head)
    }
}
