//! A toy architecture for tests (cargo feature `toy-architecture`), which holds the rest of the engine to knowing no architecture:
//! other keys, other tensors, another state and another forward pass than any real model has.
//!
//! A layer is `x = x + W_down silu(conv1d(W_up rms_norm(x)) + b)`: all channels are convolved and nothing is gated.

use std::rc::Rc;

use super::super::plan::{BufferId, Op, Recorder, Rows, StateId, WeightId};
use super::super::{Axis, AxisId, Cut, Init, Network, StateSpec, TensorSpec};
use super::{Architecture, EMBEDDING, HEAD, Scale, size};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Value};
use crate::quant::DType;

/// `general.architecture`.
pub const NAME: &str = "toy";

const EPSILON: &str = "toy.epsilon";

const CHANNELS: AxisId = AxisId(0);
const TOKENS: AxisId = AxisId(1);

/// Sizes of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Toy {
    /// Width of the residual stream (`toy.width`).
    pub d_model: usize,
    /// Channels that are convolved (`toy.channels`).
    pub channels: usize,
    /// Taps of the convolution (`toy.taps`).
    pub taps: usize,
    /// Number of layers (`toy.depth`).
    pub n_layers: usize,
    /// Epsilon of every norm (`toy.epsilon`).
    pub eps: f32,
}

/// Reads and checks the sizes of a file.
///
/// # Errors
/// As of [`super::network`].
pub fn read(gguf: &Gguf) -> Result<Rc<dyn Architecture>> {
    let metadata = &gguf.metadata;
    let eps = metadata.f32(EPSILON)?;
    if eps <= 0.0 {
        let (expected, found) = ("a float above 0".into(), eps.to_string());
        return Err(Error::KeyValue { key: EPSILON.into(), expected, found });
    }
    Ok(Rc::new(Toy {
        d_model: size(metadata, "toy.width", 1 << 16)?,
        channels: size(metadata, "toy.channels", 1 << 17)?,
        taps: size(metadata, "toy.taps", 16)?,
        n_layers: size(metadata, "toy.depth", 1024)?,
        eps,
    }))
}

impl Architecture for Toy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sizes(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![("channels", size(self.channels)), ("taps", size(self.taps)), ("epsilon", Value::Float(self.eps.into()))]
    }

    fn to_pairs(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![
            ("general.architecture", Value::String(NAME.into())),
            ("toy.width", size(self.d_model)),
            ("toy.channels", size(self.channels)),
            ("toy.taps", size(self.taps)),
            ("toy.depth", size(self.n_layers)),
            (EPSILON, Value::Float(self.eps.into())),
        ]
    }

    fn scaled(&self, most: Scale, _: &dyn Fn(&str) -> DType) -> Rc<dyn Architecture> {
        let (d_model, channels) = (self.d_model.min(most.d_model), self.channels.min(most.inner));
        Rc::new(Self { d_model, channels, n_layers: 1, ..self.clone() })
    }

    fn network(self: Rc<Self>, vocab_size: usize, tied_head: bool) -> Network {
        let mut lists = Lists { toy: &self, tensors: Vec::new(), state: Vec::new() };
        let table = lists.table(EMBEDDING, vocab_size);
        let head = if tied_head { table } else { lists.table(HEAD, vocab_size) };
        let norm = lists.norm(None, "final_norm.weight");
        let layers: Vec<_> = (0..self.n_layers).map(|layer| lists.layer(layer)).collect();
        let Lists { tensors, state, .. } = lists;

        let mut r = Recorder::default();
        let buffers = Buffers::new(&mut r, &self);
        r.step(Op::Embed, &[], &[table], &[], &[buffers.x]);
        layers.iter().for_each(|layer| self.record_layer(&mut r, &buffers, layer));
        r.end_layers();

        let last = r.buffer("last", self.d_model, Rows::Outputs);
        let logits = r.buffer_along(TOKENS, "logits", vocab_size, Rows::Outputs);
        r.step(Op::RmsNorm { eps: self.eps }, &[buffers.x], &[norm], &[], &[last]);
        r.step(Op::MatMul { accumulate: false }, &[last], &[head], &[], &[logits]);
        Network {
            d_model: self.d_model,
            n_layers: self.n_layers,
            vocab_size,
            tied_head,
            axes: vec![Axis { name: "channels", length: self.channels }, Axis { name: "tokens", length: vocab_size }],
            tensors,
            state,
            plan: r.finish(logits),
            architecture: self,
        }
    }
}

/// What one layer's steps name.
struct Layer {
    norm: WeightId,
    up: WeightId,
    taps: WeightId,
    bias: WeightId,
    down: WeightId,
    past: StateId,
}

/// The lists in the making.
struct Lists<'a> {
    toy: &'a Toy,
    tensors: Vec<TensorSpec>,
    state: Vec<StateSpec>,
}

impl Lists<'_> {
    fn push(&mut self, tensor: TensorSpec) -> WeightId {
        self.tensors.push(tensor);
        WeightId(self.tensors.len() - 1)
    }

    /// A matrix with a row a token.
    fn table(&mut self, suffix: &'static str, vocab_size: usize) -> WeightId {
        self.push(TensorSpec {
            layer: None,
            suffix,
            rows: vocab_size,
            columns: self.toy.d_model,
            elementwise: false,
            stacked: false,
            cut: Cut::Rows { axis: TOKENS, repeats: 1 },
            init: Init::Gain(3.0),
        })
    }

    fn norm(&mut self, layer: Option<usize>, suffix: &'static str) -> WeightId {
        let (columns, init) = (self.toy.d_model, Init::Between(0.9, 1.1));
        self.push(TensorSpec {
            layer,
            suffix,
            rows: 1,
            columns,
            elementwise: true,
            stacked: false,
            cut: Cut::Whole,
            init,
        })
    }

    fn layer(&mut self, layer: usize) -> Layer {
        let Toy { d_model, channels, taps, .. } = *self.toy;
        let (rows, columns) = (Cut::Rows { axis: CHANNELS, repeats: 1 }, Cut::Columns { axis: CHANNELS });
        let limit = (3.0 / taps as f32).sqrt();
        let norm = self.norm(Some(layer), "norm.weight");
        let mut tensor = |suffix, rows, columns, cut, init| {
            let elementwise = !matches!(init, Init::Gain(_));
            self.push(TensorSpec { layer: Some(layer), suffix, rows, columns, elementwise, stacked: false, cut, init })
        };
        let up = tensor("up.weight", channels, d_model, rows, Init::Gain(1.0));
        let kernel = tensor("mix.weight", channels, taps, rows, Init::Between(-limit, limit));
        let bias = tensor("mix.bias", 1, channels, columns, Init::Between(-0.1, 0.1));
        let down = tensor("down.weight", d_model, channels, columns, Init::Gain(1.0));
        // The last inputs of the convolution, oldest first.
        let (name, columns) = (format!("layer.{layer}.past"), taps - 1);
        self.state.push(StateSpec { name, rows: channels, columns, axis: Some(CHANNELS) });
        Layer { norm, up, taps: kernel, bias, down, past: StateId(self.state.len() - 1) }
    }
}

struct Buffers {
    x: BufferId,
    h: BufferId,
    u: BufferId,
    v: BufferId,
}

impl Buffers {
    fn new(r: &mut Recorder, toy: &Toy) -> Self {
        Self {
            x: r.buffer("x", toy.d_model, Rows::Tokens),
            h: r.buffer("h", toy.d_model, Rows::Tokens),
            u: r.buffer_along(CHANNELS, "u", toy.channels, Rows::Tokens),
            v: r.buffer_along(CHANNELS, "v", toy.channels, Rows::Tokens),
        }
    }
}

impl Toy {
    fn record_layer(&self, r: &mut Recorder, b: &Buffers, l: &Layer) {
        // h = rms_norm(x) * norm;  u = W_up h
        r.step(Op::RmsNorm { eps: self.eps }, &[b.x], &[l.norm], &[], &[b.h]);
        r.step(Op::MatMul { accumulate: false }, &[b.h], &[l.up], &[], &[b.u]);

        // v = silu(conv1d(u) + b)
        r.step(Op::Conv1dSilu, &[b.u], &[l.taps, l.bias], &[l.past], &[b.v]);

        // x = x + W_down v
        r.step(Op::MatMul { accumulate: true }, &[b.v], &[l.down], &[], &[b.x]);
    }
}
