//! Mamba and Falcon-Mamba.
//!
//! Glossary: T tokens of a chunk; x the residual stream; h its norm; xi the channels' input; z the gate; dt (the paper's
//! Delta) the time step, first as a projection of rank dt_rank; A, B, C, D and s as in the paper (Gu and Dao, 2023,
//! "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", algorithm 2). Falcon-Mamba adds an RMS norm without
//! weights on dt, B and C.

use std::rc::Rc;

use super::super::plan::{BufferId, Op, Recorder, Rows, StateId, WeightId};
use super::super::{Axis, AxisId, Cut, Init, Network, StateSpec, TensorSpec};
use super::{Architecture, EMBEDDING, HEAD, Scale, size};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Value};
use crate::quant::DType;

/// `general.architecture`.
pub const NAME: &str = "mamba";

/// More than any model has.
pub const MAX_LAYERS: usize = 1024;

const CHANNELS: AxisId = AxisId(0);
const TOKENS: AxisId = AxisId(1);

/// Sizes and switches of one model. Names follow the Mamba paper and llama.cpp's keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Mamba {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Channels of the SSM (`ssm.inner_size`).
    pub d_inner: usize,
    /// States per channel (`ssm.state_size`).
    pub d_state: usize,
    /// Taps of the causal convolution (`ssm.conv_kernel`).
    pub d_conv: usize,
    /// Rank of the time-step projection (`ssm.time_step_rank`).
    pub dt_rank: usize,
    /// Number of layers (`block_count`).
    pub n_layers: usize,
    /// Epsilon of every RMS norm, the weightless ones included: llama.cpp's reading of the file.
    /// (transformers keeps a second one, `mixer_rms_eps`, for those; GGUF has no key for it.)
    pub rms_eps: f32,
    /// True for Falcon-Mamba: dt, B and C are RMS-normalised, without weights.
    pub norm_dt_b_c: bool,
}

/// Reads and checks the sizes of a file.
///
/// # Errors
/// [`Error::MissingKey`] or [`Error::KeyValue`] for a size that is absent, of another type, or outside what the kernels hold.
pub(super) fn read(gguf: &Gguf) -> Result<Rc<dyn Architecture>> {
    let metadata = &gguf.metadata;
    // The upper bounds are far above any published model (7B: 4096, 8192, 16, 4, 256, 64): they keep products of sizes
    // inside u32 on the device and refuse a file that would only exhaust memory.
    let rms_eps = metadata.f32("mamba.attention.layer_norm_rms_epsilon")?;
    if rms_eps <= 0.0 {
        return Err(Error::KeyValue {
            key: "mamba.attention.layer_norm_rms_epsilon".into(),
            expected: "a float above 0".into(),
            found: rms_eps.to_string(),
        });
    }
    Ok(Rc::new(Mamba {
        d_model: size(metadata, "mamba.embedding_length", 1 << 16)?,
        d_inner: size(metadata, "mamba.ssm.inner_size", 1 << 17)?,
        d_state: size(metadata, "mamba.ssm.state_size", 256)?,
        d_conv: size(metadata, "mamba.ssm.conv_kernel", 16)?,
        dt_rank: size(metadata, "mamba.ssm.time_step_rank", 1 << 14)?,
        n_layers: size(metadata, "mamba.block_count", MAX_LAYERS as u32)?,
        rms_eps,
        norm_dt_b_c: metadata.opt_bool("mamba.ssm.dt_b_c_rms")?.unwrap_or(false),
    }))
}

impl Architecture for Mamba {
    fn name(&self) -> &'static str {
        NAME
    }

    fn family(&self) -> &'static str {
        if self.norm_dt_b_c { "falcon-mamba" } else { NAME }
    }

    fn sizes(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![
            ("d_inner", size(self.d_inner)),
            ("d_state", size(self.d_state)),
            ("d_conv", size(self.d_conv)),
            ("dt_rank", size(self.dt_rank)),
            ("rms_eps", Value::Float(self.rms_eps.into())),
            ("norm_dt_b_c", Value::Bool(self.norm_dt_b_c)),
        ]
    }

    fn to_pairs(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![
            ("general.architecture", Value::String(NAME.into())),
            ("mamba.embedding_length", size(self.d_model)),
            ("mamba.block_count", size(self.n_layers)),
            ("mamba.ssm.conv_kernel", size(self.d_conv)),
            ("mamba.ssm.inner_size", size(self.d_inner)),
            ("mamba.ssm.state_size", size(self.d_state)),
            ("mamba.ssm.time_step_rank", size(self.dt_rank)),
            ("mamba.ssm.dt_b_c_rms", Value::Bool(self.norm_dt_b_c)),
            ("mamba.attention.layer_norm_rms_epsilon", Value::Float(self.rms_eps.into())),
        ]
    }

    fn scaled(&self, most: Scale, dtype: &dyn Fn(&str) -> DType) -> Rc<dyn Architecture> {
        let (d_model, d_inner) = (self.d_model.min(most.d_model), self.d_inner.min(most.inner));
        let dt_rank = self.dt_rank.min(most.rank).next_multiple_of(dtype("ssm_dt.weight").block_len());
        Rc::new(Self { d_model, d_inner, dt_rank, n_layers: 1, ..self.clone() })
    }

    fn network(self: Rc<Self>, vocab_size: usize, tied_head: bool) -> Network {
        let mut lists = Lists { mamba: &self, tensors: Vec::new(), state: Vec::new() };
        let table = lists.outside(EMBEDDING, vocab_size, false);
        let output_norm = lists.outside("output_norm.weight", 1, true);
        let head = if tied_head { table } else { lists.outside(HEAD, vocab_size, false) };
        let layers: Vec<_> = (0..self.n_layers).map(|layer| lists.layer(layer)).collect();
        let Lists { tensors, state, .. } = lists;

        let mut r = Recorder::default();
        let buffers = Buffers::new(&mut r, &self);
        r.step(Op::Embed, &[], &[table], &[], &[buffers.x]);
        layers.iter().for_each(|layer| self.record_layer(&mut r, &buffers, layer));
        r.end_layers();

        // logits = W_head (rms_norm(x) * output_norm)
        let last = r.buffer("last", self.d_model, Rows::Outputs);
        let logits = r.buffer_along(TOKENS, "logits", vocab_size, Rows::Outputs);
        r.step(Op::RmsNorm { eps: self.rms_eps }, &[buffers.x], &[output_norm], &[], &[last]);
        r.step(Op::MatMul { accumulate: false }, &[last], &[head], &[], &[logits]);
        Network {
            d_model: self.d_model,
            n_layers: self.n_layers,
            vocab_size,
            tied_head,
            axes: vec![Axis { name: "channels", length: self.d_inner }, Axis { name: "tokens", length: vocab_size }],
            tensors,
            state,
            plan: r.finish(logits),
            architecture: self,
        }
    }
}

/// What one layer's steps name.
struct Layer {
    attn_norm: WeightId,
    ssm_in: WeightId,
    conv1d_weight: WeightId,
    conv1d_bias: WeightId,
    ssm_x: WeightId,
    ssm_dt: WeightId,
    ssm_dt_bias: WeightId,
    ssm_a: WeightId,
    ssm_d: WeightId,
    ssm_out: WeightId,
    conv: StateId,
    ssm: StateId,
}

/// The lists in the making.
struct Lists<'a> {
    mamba: &'a Mamba,
    tensors: Vec<TensorSpec>,
    state: Vec<StateSpec>,
}

impl Lists<'_> {
    fn push(&mut self, tensor: TensorSpec) -> WeightId {
        self.tensors.push(tensor);
        WeightId(self.tensors.len() - 1)
    }

    /// A tensor of d_model columns that is no layer's.
    fn outside(&mut self, suffix: &'static str, rows: usize, elementwise: bool) -> WeightId {
        let (cut, init) = match elementwise {
            true => (Cut::Whole, Init::Between(0.9, 1.1)),
            // The embedding's gain makes logits where it is the head, and is next to nothing elsewhere, since every layer starts
            // with a norm.
            false => (Cut::Rows { axis: TOKENS, repeats: 1 }, Init::Gain(3.0)),
        };
        self.push(TensorSpec {
            layer: None,
            suffix,
            rows,
            columns: self.mamba.d_model,
            elementwise,
            stacked: false,
            cut,
            init,
        })
    }

    fn layer(&mut self, layer: usize) -> Layer {
        let Mamba { d_model, d_inner, d_state, d_conv, dt_rank, .. } = *self.mamba;
        let rows = |repeats| Cut::Rows { axis: CHANNELS, repeats };
        let columns = Cut::Columns { axis: CHANNELS };
        let taps = (3.0 / d_conv as f32).sqrt();
        let mut tensor = |suffix, rows, columns, cut, init| {
            let elementwise = !matches!(init, Init::Gain(_));
            self.push(TensorSpec { layer: Some(layer), suffix, rows, columns, elementwise, stacked: false, cut, init })
        };
        let attn_norm = tensor("attn_norm.weight", 1, d_model, Cut::Whole, Init::Between(0.9, 1.1));
        // x first, then z.
        let ssm_in = tensor("ssm_in.weight", 2 * d_inner, d_model, rows(2), Init::Gain(1.0));
        let conv1d_weight = tensor("ssm_conv1d.weight", d_inner, d_conv, rows(1), Init::Between(-taps, taps));
        let conv1d_bias = tensor("ssm_conv1d.bias", 1, d_inner, columns, Init::Between(-0.1, 0.1));
        let ssm_x = tensor("ssm_x.weight", dt_rank + 2 * d_state, d_inner, columns, Init::Gain(1.0));
        // Around its bias the time step is to vary, not to jump.
        let ssm_dt = tensor("ssm_dt.weight", d_inner, dt_rank, rows(1), Init::Gain(0.3));
        let ssm_dt_bias = tensor("ssm_dt.bias", 1, d_inner, columns, Init::TimeStep(0.005, 0.5));
        // Already negative in files.
        let ssm_a = tensor("ssm_a", d_inner, d_state, rows(1), Init::Descending);
        let ssm_d = tensor("ssm_d", 1, d_inner, columns, Init::Constant(1.0));
        let ssm_out = tensor("ssm_out.weight", d_model, d_inner, columns, Init::Gain(1.0));
        let [conv, ssm] = state_of_layer(layer, d_inner, d_conv, d_state).map(|tensor| {
            self.state.push(tensor);
            StateId(self.state.len() - 1)
        });
        Layer {
            attn_norm,
            ssm_in,
            conv1d_weight,
            conv1d_bias,
            ssm_x,
            ssm_dt,
            ssm_dt_bias,
            ssm_a,
            ssm_d,
            ssm_out,
            conv,
            ssm,
        }
    }
}

/// The last inputs of the convolution, oldest first, (d_inner, d_conv - 1); the SSM's state, (d_inner, d_state).
fn state_of_layer(layer: usize, d_inner: usize, d_conv: usize, d_state: usize) -> [StateSpec; 2] {
    let tensor =
        |name, columns| StateSpec { name: format!("blk.{layer}.{name}"), rows: d_inner, columns, axis: Some(CHANNELS) };
    [tensor("conv", d_conv.saturating_sub(1)), tensor("ssm", d_state)]
}

/// The state of a model of these sizes: what the first version of state files says of it.
pub fn state_of(n_layers: usize, d_inner: usize, d_conv: usize, d_state: usize) -> Vec<StateSpec> {
    (0..n_layers).flat_map(|layer| state_of_layer(layer, d_inner, d_conv, d_state)).collect()
}

struct Buffers {
    x: BufferId,
    h: BufferId,
    xz: BufferId,
    xi: BufferId,
    dbc: BufferId,
    dt_low: BufferId,
    bc: BufferId,
    dt: BufferId,
    y: BufferId,
}

impl Buffers {
    fn new(r: &mut Recorder, m: &Mamba) -> Self {
        let tokens = Rows::Tokens;
        Self {
            x: r.buffer("x", m.d_model, tokens),
            h: r.buffer("h", m.d_model, tokens),
            xz: r.buffer_along(CHANNELS, "xz", 2 * m.d_inner, tokens),
            xi: r.buffer_along(CHANNELS, "xi", m.d_inner, tokens),
            dbc: r.buffer("dbc", m.dt_rank + 2 * m.d_state, tokens),
            dt_low: r.buffer("dt_low", m.dt_rank, tokens),
            bc: r.buffer("bc", 2 * m.d_state, tokens),
            dt: r.buffer_along(CHANNELS, "dt", m.d_inner, tokens),
            y: r.buffer_along(CHANNELS, "y", m.d_inner, tokens),
        }
    }
}

impl Mamba {
    fn record_layer(&self, r: &mut Recorder, b: &Buffers, l: &Layer) {
        let product = Op::MatMul { accumulate: false };

        // h = rms_norm(x) * attn_norm
        r.step(Op::RmsNorm { eps: self.rms_eps }, &[b.x], &[l.attn_norm], &[], &[b.h]);

        // xi, z = split(W_in h)
        r.step(product, &[b.h], &[l.ssm_in], &[], &[b.xz]);

        // xi = silu(conv1d(xi) + b_conv)
        r.step(Op::Conv1dSilu, &[b.xz], &[l.conv1d_weight, l.conv1d_bias], &[l.conv], &[b.xi]);

        // dt, B, C = split(W_x xi), each RMS-normalised where the model says so
        r.step(product, &[b.xi], &[l.ssm_x], &[], &[b.dbc]);
        let eps = self.norm_dt_b_c.then_some(self.rms_eps);
        r.step(Op::SplitDtBC { eps }, &[b.dbc], &[], &[], &[b.dt_low, b.bc]);

        // D_t = softplus(W_dt dt + b_dt); the bias and softplus are the scan's
        r.step(product, &[b.dt_low], &[l.ssm_dt], &[], &[b.dt]);

        // s = exp(D_t A) s + D_t B xi;  y = (C . s + D xi) * silu(z)
        let weights = [l.ssm_dt_bias, l.ssm_a, l.ssm_d];
        r.step(Op::SelectiveScan, &[b.xi, b.dt, b.bc, b.xz], &weights, &[l.ssm], &[b.y]);

        // x = x + W_out y
        r.step(Op::MatMul { accumulate: true }, &[b.y], &[l.ssm_out], &[], &[b.x]);
    }
}
