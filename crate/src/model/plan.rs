//! The plan: the forward pass as a list of steps over named buffers, recorded once and run by any executor.

/// Index of a tensor in [`super::Network::tensors`] and in [`super::Weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightId(pub usize);

/// Index of a buffer in [`Plan::buffers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BufferId(pub usize);

/// Index of a state tensor in [`super::Network::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateId(pub usize);

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
    /// Its name in the architecture's file.
    pub name: &'static str,
    /// Floats a row.
    pub width: usize,
    /// The axis that its columns follow, some for each index; none where every rank has all of them.
    pub axis: Option<super::AxisId>,
    /// What a row stands for.
    pub rows: Rows,
}

/// What a step computes. Each is one kernel, of the same name on every executor; an executor may also fuse neighbouring steps.
///
/// The operands are named in the order in which [`Step`] lists them: what is read, weights, state, what is written. All sizes
/// follow from the operands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `out = table[token]`, a row a token. Weights: table, (vocab_size, d_model). Writes: out, (T, d_model).
    Embed,
    /// `out = x / sqrt(mean(x^2) + eps) * weight`. Where `out` has a row an output and `x` a row a token, the rows of the wanted
    /// tokens are taken. Reads: x. Weights: one factor a column. Writes: out, as wide as x.
    RmsNorm {
        /// Added to the mean of squares.
        eps: f32,
    },
    /// `out = W x`, or `out += W x`. Reads: x, (T, columns). Weights: W, (rows, columns). Writes: out, (T, rows).
    MatMul {
        /// True for `+=`: the residual.
        accumulate: bool,
    },
    /// `out = silu(conv1d(x) + bias)`, causal and depthwise. Reads: x, the first d_inner columns of a buffer. Weights: taps,
    /// (d_inner, d_conv); bias, (d_inner). State: the last inputs, (d_inner, d_conv - 1). Writes: out, (T, d_inner).
    Conv1dSilu,
    /// `dt, B, C = split(dbc)`, each divided by its root mean square where there is an `eps`. Reads: dbc, (T, dt_rank + 2 d_state).
    /// Writes: dt, (T, dt_rank); B, then C, (T, 2 d_state).
    SplitDtBC {
        /// Added to the means of squares; none where nothing is normalised.
        eps: Option<f32>,
    },
    /// The selective scan and its gate: `out = (C . s + D x) * silu(z)`. Reads: x, (T, d_inner); dt before bias and softplus,
    /// (T, d_inner); B, then C, (T, 2 d_state); xz, with the gate z in its second half, (T, 2 d_inner). Weights: the bias of dt,
    /// (d_inner); A, already negative, (d_inner, d_state); D, (d_inner). State: s, (d_inner, d_state). Writes: out, (T, d_inner).
    SelectiveScan,
    /// `out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias`, with the variance of the population; rows are taken as by
    /// [`Op::RmsNorm`]. Reads: x. Weights: one factor a column; one summand a column. Writes: out, as wide as x.
    LayerNorm {
        /// Added to the variance.
        eps: f32,
    },
    /// `out_i[t] = x[t] + (x[t - 1] - x[t]) * mu_i`: mixtures with the token before. Reads: x, (T, d_model). Weights: mu,
    /// (outputs, d_model). State: the last x, (1, d_model). Writes: one buffer for each row of mu, (T, d_model).
    TokenShift,
    /// `out = f(x)`, value by value. Reads: x. Writes: out, as wide as x.
    Elementwise(Function),
    /// `out = x * y`, value by value. Reads: x; y. Writes: out, all as wide.
    Multiply,
    /// `out = x + (first - x) * sigmoid(mix + bias)`: RWKV-7's value residual. Reads: x; first; mix. Weights: bias, (1, width).
    /// Writes: out, all as wide.
    ValueResidual,
    /// RWKV-7's recurrence by heads, with all that is done for each of them alone: decay and in-context learning rate from their
    /// projections, the state's update, the norm of its reading, and the bonus of the token itself. See [`crate::model::arch::rwkv7`]
    /// for the formulas. Reads: r, w, k, v, a, (T, heads * head_size); w and a before bias and sigmoid. Weights, (1, heads *
    /// head_size) each: w0, a0, k_k, k_a, r_k, and the norm's factors and summands. State: S, a row a value, a column a key,
    /// (heads * head_size, head_size). Writes: y, (T, heads * head_size).
    Wkv7 {
        /// Added to the variance of the norm of each head.
        eps: f32,
    },
}

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `(e^x - e^-x) / (e^x + e^-x)`.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `max(x, 0)^2`.
    SquaredRelu,
}

impl Function {
    /// Its name, for display and in shaders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::SquaredRelu => "squared_relu",
        }
    }
}

impl Op {
    /// Its kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::RmsNorm { .. } => "rms_norm",
            Self::MatMul { .. } => "matmul",
            Self::Conv1dSilu => "conv1d_silu",
            Self::SplitDtBC { .. } => "split_dt_b_c",
            Self::SelectiveScan => "selective_scan",
            Self::LayerNorm { .. } => "layer_norm",
            Self::TokenShift => "token_shift",
            Self::Elementwise(function) => function.name(),
            Self::Multiply => "multiply",
            Self::ValueResidual => "value_residual",
            Self::Wkv7 { .. } => "wkv7",
        }
    }
}

/// One step: an operation and its operands.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it computes.
    pub op: Op,
    /// Buffers that it reads.
    pub reads: Vec<BufferId>,
    /// Weights that it reads.
    pub weights: Vec<WeightId>,
    /// State that it reads and updates.
    pub state: Vec<StateId>,
    /// Buffers that it writes.
    pub writes: Vec<BufferId>,
}

/// A step's operands, a fixed number of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Operands<const R: usize, const W: usize, const S: usize, const O: usize> {
    /// Buffers that it reads.
    pub reads: [BufferId; R],
    /// Weights that it reads.
    pub weights: [WeightId; W],
    /// State that it reads and updates.
    pub state: [StateId; S],
    /// Buffers that it writes.
    pub writes: [BufferId; O],
}

impl Step {
    /// Its operands by position.
    ///
    /// # Panics
    /// Where it has other numbers of them: its architecture recorded it wrongly.
    pub fn operands<const R: usize, const W: usize, const S: usize, const O: usize>(&self) -> Operands<R, W, S, O> {
        let operands = || {
            Some(Operands {
                reads: self.reads.as_slice().try_into().ok()?,
                weights: self.weights.as_slice().try_into().ok()?,
                state: self.state.as_slice().try_into().ok()?,
                writes: self.writes.as_slice().try_into().ok()?,
            })
        };
        let Some(operands) = operands() else {
            unreachable!("{} with other operands than it has: {self:?}", self.op.name())
        };
        operands
    }

    /// The buffer that it writes, or the first of them.
    pub fn output(&self) -> BufferId {
        self.writes[0]
    }
}

/// A model's forward pass.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every buffer that the steps name.
    pub buffers: Vec<Buffer>,
    /// From tokens to the residual stream after the last layer; these steps update the state.
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

    /// The steps from the residual stream to the hidden state, and its buffer, (outputs, d_model): what the product that makes the
    /// logits reads.
    pub fn hidden(&self) -> (&[Step], BufferId) {
        let Some((product, norms)) = self.head.split_last() else { unreachable!("every plan ends with a product") };
        (norms, product.reads[0])
    }

    /// All steps, of the layers and then of the head.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.layers.iter().chain(&self.head)
    }
}

/// Builds a plan.
#[derive(Debug, Default)]
pub struct Recorder {
    buffers: Vec<Buffer>,
    steps: Vec<Step>,
    layers: Vec<Step>,
}

impl Recorder {
    /// A new buffer that every rank has whole.
    pub fn buffer(&mut self, name: &'static str, width: usize, rows: Rows) -> BufferId {
        self.buffers.push(Buffer { name, width, axis: None, rows });
        BufferId(self.buffers.len() - 1)
    }

    /// A new buffer whose columns follow an axis.
    pub fn buffer_along(&mut self, axis: super::AxisId, name: &'static str, width: usize, rows: Rows) -> BufferId {
        self.buffers.push(Buffer { name, width, axis: Some(axis), rows });
        BufferId(self.buffers.len() - 1)
    }

    /// The next step.
    pub fn step(&mut self, op: Op, reads: &[BufferId], weights: &[WeightId], state: &[StateId], writes: &[BufferId]) {
        let (reads, weights, state, writes) = (reads.to_vec(), weights.to_vec(), state.to_vec(), writes.to_vec());
        self.steps.push(Step { op, reads, weights, state, writes });
    }

    /// The steps so far are those of the layers; the head's follow.
    pub fn end_layers(&mut self) {
        self.layers.append(&mut self.steps);
    }

    /// The plan.
    pub fn finish(self, logits: BufferId) -> Plan {
        Plan { buffers: self.buffers, layers: self.layers, head: self.steps, logits }
    }
}
