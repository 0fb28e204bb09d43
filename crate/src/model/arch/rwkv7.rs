//! RWKV-7 "Goose" (Peng et al., 2025, "RWKV-7 'Goose' with Expressive Dynamic State Evolution").
//!
//! Glossary: T tokens of a chunk; x the residual stream; heads are consecutive blocks of N = head_size channels; r, w, k, v, a, g
//! receptance, decay, key, value, in-context learning rate and gate; S the state of a head, a row a value and a column a key.
//! Time mixing of a layer, with all values in f32:
//!
//! ```text
//! h = LN(x);  x_q = h + (h before - h) mu_q              for q in r, w, k, v, a, g
//! r = R x_r;  k = K x_k;  v = V x_v;  g = g2 sigmoid(g1 x_g)
//! w = exp(-0.606531 sigmoid(w0 + w2 tanh(w1 x_w)));  a = sigmoid(a0 + a2 (a1 x_a))
//! v = v + (v_first - v) sigmoid(v0 + v2 (v1 x_v))        after the first layer, whose v is v_first
//! kk = k k_k, of length 1 in each head;  k = k (1 + (a - 1) k_a)
//! S_ij = S_ij w_j + v_i k_j - (sum_m S_im kk_m) kk_j a_j;  y_i = sum_j S_ij r_j
//! y = norm of each head(y) + v (sum_j r_j k_j r_k_j)
//! x = x + O (y g)
//! ```
//!
//! Channel mixing: `h = LN(x);  x = x + W_v relu(W_k (h + (h before - h) mu))^2`.

use std::collections::HashSet;
use std::rc::Rc;

use super::super::plan::{BufferId, Function, Op, Recorder, Rows, StateId, WeightId};
use super::super::{Axis, AxisId, Cut, Init, Network, StateSpec, TensorSpec};
use super::{Architecture, EMBEDDING, HEAD, Scale, TunedState, size};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Value};
use crate::quant::{DType, TILE_ROWS};

/// `general.architecture`.
pub const NAME: &str = "rwkv7";

/// The largest head: what a kernel keeps of one at a time.
pub const MAX_HEAD_SIZE: usize = 256;

/// More than any model has.
const MAX_LAYERS: u32 = 1024;

/// The norm of each head has an epsilon that no file states: this for each of its channels.
const HEAD_NORM_EPS: f32 = 1e-5;

const EPSILON: &str = "rwkv7.attention.layer_norm_epsilon";
const HEAD_SIZE: &str = "rwkv7.wkv.head_size";
const TOKEN_SHIFTS: &str = "rwkv7.token_shift_count";

const HEADS: AxisId = AxisId(0);
const HIDDEN: AxisId = AxisId(1);
const TOKENS: AxisId = AxisId(2);

/// Sizes of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Rwkv7 {
    /// Width of the residual stream (`embedding_length`).
    pub d_model: usize,
    /// Channels of a head (`wkv.head_size`).
    pub head_size: usize,
    /// Width inside channel mixing (`feed_forward_length`).
    pub d_ffn: usize,
    /// Ranks of the low-rank pairs.
    pub ranks: Ranks,
    /// Number of layers (`block_count`).
    pub n_layers: usize,
    /// Epsilon of the layer norms.
    pub eps: f32,
}

/// Ranks of the low-rank pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Of w1 and w2.
    pub decay: usize,
    /// Of a1 and a2, the in-context learning rate.
    pub iclr: usize,
    /// Of v1 and v2.
    pub value_residual: usize,
    /// Of g1 and g2.
    pub gate: usize,
}

/// Reads and checks the sizes of a file.
///
/// # Errors
/// [`Error::MissingKey`] or [`Error::KeyValue`] for a size that is absent, of another type, or outside what the kernels hold;
/// [`Error::Architecture`] for a tensor that only variants have, which would run to a wrong text.
pub(super) fn read(gguf: &Gguf) -> Result<Rc<dyn Architecture>> {
    let metadata = &gguf.metadata;
    let refuse = |key: &str, expected: String, found: String| Err(Error::KeyValue { key: key.into(), expected, found });
    let eps = metadata.f32(EPSILON)?;
    if eps <= 0.0 {
        return refuse(EPSILON, "a float above 0".into(), eps.to_string());
    }
    let d_model = size(metadata, "rwkv7.embedding_length", 1 << 16)?;
    let head_size = size(metadata, HEAD_SIZE, MAX_HEAD_SIZE as u32)?;
    if !head_size.is_multiple_of(TILE_ROWS) || !d_model.is_multiple_of(head_size) {
        let expected = format!("a multiple of {TILE_ROWS} that divides the embedding length {d_model}");
        return refuse(HEAD_SIZE, expected, head_size.to_string());
    }
    if let Some(shifts) = metadata.opt_u32(TOKEN_SHIFTS)?
        && shifts != 2
    {
        return refuse(TOKEN_SHIFTS, "2, or nothing".into(), shifts.to_string());
    }
    let rank = |name: &str| size(metadata, &format!("rwkv7.attention.{name}_lora_rank"), 1 << 14);
    let ranks = Ranks {
        decay: rank("decay")?,
        iclr: rank("iclr")?,
        value_residual: rank("value_residual_mix")?,
        gate: rank("gate")?,
    };
    let d_ffn = size(metadata, "rwkv7.feed_forward_length", 1 << 18)?;
    let n_layers = size(metadata, "rwkv7.block_count", MAX_LAYERS)?;
    let rwkv7 = Rwkv7 { d_model, head_size, d_ffn, ranks, n_layers, eps };
    rwkv7.check_tensors(gguf)?;
    Ok(Rc::new(rwkv7))
}

impl Architecture for Rwkv7 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sizes(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![
            ("head_size", size(self.head_size)),
            ("d_ffn", size(self.d_ffn)),
            ("decay_rank", size(self.ranks.decay)),
            ("iclr_rank", size(self.ranks.iclr)),
            ("value_residual_rank", size(self.ranks.value_residual)),
            ("gate_rank", size(self.ranks.gate)),
            ("eps", Value::Float(self.eps.into())),
        ]
    }

    fn to_pairs(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![
            ("general.architecture", Value::String(NAME.into())),
            ("rwkv7.embedding_length", size(self.d_model)),
            ("rwkv7.block_count", size(self.n_layers)),
            ("rwkv7.feed_forward_length", size(self.d_ffn)),
            ("rwkv7.attention.head_count", size(0)),
            (EPSILON, Value::Float(self.eps.into())),
            (HEAD_SIZE, size(self.head_size)),
            ("rwkv7.attention.decay_lora_rank", size(self.ranks.decay)),
            ("rwkv7.attention.iclr_lora_rank", size(self.ranks.iclr)),
            ("rwkv7.attention.value_residual_mix_lora_rank", size(self.ranks.value_residual)),
            ("rwkv7.attention.gate_lora_rank", size(self.ranks.gate)),
        ]
    }

    fn scaled(&self, most: Scale, dtype: &dyn Fn(&str) -> DType) -> Rc<dyn Architecture> {
        let rank = |rank: usize, suffix| rank.min(most.rank).next_multiple_of(dtype(suffix).block_len());
        let Ranks { decay, iclr, value_residual, gate } = self.ranks;
        let ranks = Ranks {
            decay: rank(decay, "time_mix_w2.weight"),
            iclr: rank(iclr, "time_mix_a2.weight"),
            value_residual: rank(value_residual, "time_mix_v2.weight"),
            gate: rank(gate, "time_mix_g2.weight"),
        };
        let d_model = self.d_model.min(most.d_model.next_multiple_of(self.head_size));
        let d_ffn = self.d_ffn.min(most.inner);
        // The second layer is the first that has a value residual.
        Rc::new(Self { d_model, d_ffn, ranks, n_layers: self.n_layers.min(2), ..self.clone() })
    }

    fn unread_tensors(&self) -> Vec<TensorSpec> {
        // The first layer has no value residual.
        let mut lists = Lists { rwkv7: self, tensors: Vec::new(), state: Vec::new() };
        lists.value_residual(0, self.ranks.iclr);
        lists.tensors
    }

    fn network(self: Rc<Self>, vocab_size: usize, tied_head: bool) -> Network {
        let mut lists = Lists { rwkv7: &self, tensors: Vec::new(), state: Vec::new() };
        let table = lists.table(EMBEDDING, vocab_size);
        let embedding_norm = lists.norm(None, ["token_embd_norm.weight", "token_embd_norm.bias"]);
        let output_norm = lists.norm(None, ["output_norm.weight", "output_norm.bias"]);
        let head = if tied_head { table } else { lists.table(HEAD, vocab_size) };
        let layers: Vec<_> = (0..self.n_layers).map(|layer| lists.layer(layer)).collect();
        let Lists { tensors, state, .. } = lists;

        let mut r = Recorder::default();
        let buffers = Buffers::new(&mut r, &self);
        let norm = Op::LayerNorm { eps: self.eps };
        r.step(Op::Embed, &[], &[table], &[], &[buffers.embedding]);
        r.step(norm, &[buffers.embedding], &embedding_norm, &[], &[buffers.x]);
        for layer in &layers {
            self.record_time_mix(&mut r, &buffers, layer);
            self.record_channel_mix(&mut r, &buffers, layer);
        }
        r.end_layers();

        let last = r.buffer("last", self.d_model, Rows::Outputs);
        let logits = r.buffer_along(TOKENS, "logits", vocab_size, Rows::Outputs);
        r.step(norm, &[buffers.x], &output_norm, &[], &[last]);
        r.step(PRODUCT, &[last], &[head], &[], &[logits]);
        Network {
            d_model: self.d_model,
            n_layers: self.n_layers,
            vocab_size,
            tied_head,
            axes: vec![
                Axis { name: "heads", length: self.d_model / self.head_size },
                Axis { name: "hidden units", length: self.d_ffn },
                Axis { name: "tokens", length: vocab_size },
            ],
            tensors,
            state,
            plan: r.finish(logits),
            architecture: self,
        }
    }

    /// S of every layer, as RWKV-LM's state tuning names it; both token shifts begin with zeros.
    fn tuned_states(&self) -> Vec<TunedState> {
        let (heads, size) = (self.d_model / self.head_size, self.head_size);
        let of = |layer| TunedState {
            name: format!("blocks.{layer}.att.time_state"),
            state: format!("blk.{layer}.wkv"),
            heads,
            size,
        };
        (0..self.n_layers).map(of).collect()
    }
}

const PRODUCT: Op = Op::MatMul { accumulate: false };
const RESIDUAL: Op = Op::MatMul { accumulate: true };

/// What one layer's steps name.
struct Layer {
    attn_norm: [WeightId; 2],
    /// Of r, w, k, v, a, g.
    mu: WeightId,
    receptance: WeightId,
    key: WeightId,
    value: WeightId,
    output: WeightId,
    decay: [WeightId; 2],
    iclr: [WeightId; 2],
    gate: [WeightId; 2],
    /// The pair and its bias; none in the first layer.
    value_residual: Option<([WeightId; 2], WeightId)>,
    /// w0, a0, k_k, k_a, r_k, and the norm of the heads.
    wkv_weights: [WeightId; 7],
    ffn_norm: [WeightId; 2],
    ffn_mu: WeightId,
    ffn_key: WeightId,
    ffn_value: WeightId,
    att_shift: StateId,
    ffn_shift: StateId,
    wkv: StateId,
}

/// The lists in the making.
struct Lists<'a> {
    rwkv7: &'a Rwkv7,
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
        let cut = Cut::Rows { axis: TOKENS, repeats: 1 };
        self.matrix(None, suffix, [vocab_size, self.rwkv7.d_model], cut, 3.0)
    }

    fn matrix(
        &mut self,
        layer: Option<usize>,
        suffix: &'static str,
        [rows, columns]: [usize; 2],
        cut: Cut,
        gain: f32,
    ) -> WeightId {
        self.push(TensorSpec {
            layer,
            suffix,
            rows,
            columns,
            elementwise: false,
            stacked: false,
            cut,
            init: Init::Gain(gain),
        })
    }

    /// Values that kernels index, `rows` of the residual stream's width.
    fn values(
        &mut self,
        layer: Option<usize>,
        suffix: &'static str,
        rows: usize,
        cut: Cut,
        between: [f32; 2],
    ) -> WeightId {
        let (columns, init) = (self.rwkv7.d_model, Init::Between(between[0], between[1]));
        self.push(TensorSpec { layer, suffix, rows, columns, elementwise: true, stacked: rows > 1, cut, init })
    }

    /// A layer norm's factors and summands.
    fn norm(&mut self, layer: Option<usize>, [weight, bias]: [&'static str; 2]) -> [WeightId; 2] {
        let weight = self.values(layer, weight, 1, Cut::Whole, [0.9, 1.1]);
        [weight, self.values(layer, bias, 1, Cut::Whole, [-0.1, 0.1])]
    }

    /// A low-rank pair: every rank computes all of its first product, and its own heads of the second.
    fn pair(&mut self, layer: usize, [first, second]: [&'static str; 2], rank: usize, gain: f32) -> [WeightId; 2] {
        let d_model = self.rwkv7.d_model;
        let first = self.matrix(Some(layer), first, [rank, d_model], Cut::Whole, 1.0);
        [first, self.matrix(Some(layer), second, [d_model, rank], Cut::Rows { axis: HEADS, repeats: 1 }, gain)]
    }

    fn layer(&mut self, layer: usize) -> Layer {
        let Rwkv7 { d_model, d_ffn, ranks, .. } = *self.rwkv7;
        let of = Some(layer);
        let square = [d_model, d_model];
        let (to_heads, from_heads) = (Cut::Rows { axis: HEADS, repeats: 1 }, Cut::Columns { axis: HEADS });
        let attn_norm = self.norm(of, ["attn_norm.weight", "attn_norm.bias"]);
        let mu = self.values(of, "time_mix_lerp_fused.weight", 6, Cut::Whole, [0.0, 1.0]);
        let receptance = self.matrix(of, "time_mix_receptance.weight", square, to_heads, 1.0);
        let key = self.matrix(of, "time_mix_key.weight", square, to_heads, 1.0);
        let value = self.matrix(of, "time_mix_value.weight", square, to_heads, 1.0);
        let output = self.matrix(of, "time_mix_output.weight", square, from_heads, 0.5);
        let decay = self.pair(layer, ["time_mix_w1.weight", "time_mix_w2.weight"], ranks.decay, 1.0);
        let iclr = self.pair(layer, ["time_mix_a1.weight", "time_mix_a2.weight"], ranks.iclr, 0.5);
        // What comes out of a sigmoid is about a half.
        let gate = self.pair(layer, ["time_mix_g1.weight", "time_mix_g2.weight"], ranks.gate, 2.0);
        let value_residual = (layer > 0).then(|| self.value_residual(layer, ranks.value_residual));
        let wkv_weights = [
            ("time_mix_w0.weight", [-6.0, 1.0]),
            ("time_mix_a0.weight", [-1.0, 1.0]),
            ("time_mix_k_k.weight", [0.7, 1.0]),
            ("time_mix_k_a.weight", [0.8, 1.2]),
            ("time_mix_r_k.weight", [-0.2, 0.2]),
            ("time_mix_ln.weight", [0.9, 1.1]),
            ("time_mix_ln.bias", [-0.1, 0.1]),
        ]
        .map(|(suffix, between)| self.values(of, suffix, 1, from_heads, between));
        let ffn_norm = self.norm(of, ["attn_norm_2.weight", "attn_norm_2.bias"]);
        let ffn_mu = self.values(of, "channel_mix_lerp_k.weight", 1, Cut::Whole, [0.0, 1.0]);
        let hidden = Cut::Rows { axis: HIDDEN, repeats: 1 };
        let ffn_key = self.matrix(of, "channel_mix_key.weight", [d_ffn, d_model], hidden, 1.0);
        let hidden = Cut::Columns { axis: HIDDEN };
        let ffn_value = self.matrix(of, "channel_mix_value.weight", [d_model, d_ffn], hidden, 0.5);
        let [att_shift, ffn_shift, wkv] = self.state_of_layer(layer);
        Layer {
            attn_norm,
            mu,
            receptance,
            key,
            value,
            output,
            decay,
            iclr,
            gate,
            value_residual,
            wkv_weights,
            ffn_norm,
            ffn_mu,
            ffn_key,
            ffn_value,
            att_shift,
            ffn_shift,
            wkv,
        }
    }

    /// The pair and its bias.
    fn value_residual(&mut self, layer: usize, rank: usize) -> ([WeightId; 2], WeightId) {
        let pair = self.pair(layer, ["time_mix_v1.weight", "time_mix_v2.weight"], rank, 0.5);
        let bias = self.values(Some(layer), "time_mix_v0.weight", 1, Cut::Columns { axis: HEADS }, [-1.0, 1.0]);
        (pair, bias)
    }

    /// The last inputs of both token shifts, which every rank has, and S.
    fn state_of_layer(&mut self, layer: usize) -> [StateId; 3] {
        let Rwkv7 { d_model, head_size, .. } = *self.rwkv7;
        let tensors = [
            ("att_shift", 1, d_model, None),
            ("ffn_shift", 1, d_model, None),
            ("wkv", d_model, head_size, Some(HEADS)),
        ];
        tensors.map(|(name, rows, columns, axis)| {
            self.state.push(StateSpec { name: format!("blk.{layer}.{name}"), rows, columns, axis });
            StateId(self.state.len() - 1)
        })
    }
}

struct Buffers {
    embedding: BufferId,
    x: BufferId,
    h: BufferId,
    /// Of r, w, k, v, a, g.
    shifted: [BufferId; 6],
    /// The first products of the pairs of w, a, v and g.
    low: [BufferId; 4],
    /// After their functions, of w and g.
    activated: [BufferId; 2],
    r: BufferId,
    w: BufferId,
    k: BufferId,
    a: BufferId,
    g: BufferId,
    v_first: BufferId,
    /// The value's projection, the mix of its residual, and both together.
    v: [BufferId; 3],
    y: BufferId,
    gated: BufferId,
    ffn_shifted: BufferId,
    hidden: BufferId,
    squared: BufferId,
}

impl Buffers {
    fn new(r: &mut Recorder, m: &Rwkv7) -> Self {
        let Ranks { decay, iclr, value_residual, gate } = m.ranks;
        let mut whole = |name, width| r.buffer(name, width, Rows::Tokens);
        let embedding = whole("embedding", m.d_model);
        let x = whole("x", m.d_model);
        let h = whole("h", m.d_model);
        let shifted = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map(|name| whole(name, m.d_model));
        let low = [("w_low", decay), ("a_low", iclr), ("v_low", value_residual), ("g_low", gate)];
        let low = low.map(|(name, width)| whole(name, width));
        let activated = [whole("w_tanh", decay), whole("g_sigmoid", gate)];
        let ffn_shifted = whole("ffn_x", m.d_model);
        let mut heads = |name| r.buffer_along(HEADS, name, m.d_model, Rows::Tokens);
        let [r_, w, k, a, g] = ["r", "w", "k", "a", "g"].map(&mut heads);
        let [v_first, v, v_mix, v_mixed] = ["v_first", "v", "v_mix", "v_mixed"].map(&mut heads);
        let [y, gated] = ["y", "y_gated"].map(&mut heads);
        let [hidden, squared] = ["hidden", "squared"].map(|name| r.buffer_along(HIDDEN, name, m.d_ffn, Rows::Tokens));
        let v = [v, v_mix, v_mixed];
        Self {
            embedding,
            x,
            h,
            shifted,
            low,
            activated,
            r: r_,
            w,
            k,
            a,
            g,
            v_first,
            v,
            y,
            gated,
            ffn_shifted,
            hidden,
            squared,
        }
    }
}

impl Rwkv7 {
    /// Variants of this architecture have tensors more, and would run to a wrong text without them.
    fn check_tensors(&self, gguf: &Gguf) -> Result<()> {
        let lists = Rc::new(self.clone()).network(1, false);
        let unread = self.unread_tensors();
        let known: HashSet<_> = lists.tensors.iter().chain(&unread).map(TensorSpec::name).collect();
        let unknown = gguf.tensors().iter().find(|tensor| !known.contains(&tensor.name));
        unknown.map_or(Ok(()), |tensor| {
            Err(Error::Architecture {
                found: format!("{NAME} with {}", tensor.name),
                supported: format!("`{NAME}` without it"),
            })
        })
    }

    fn record_time_mix(&self, r: &mut Recorder, b: &Buffers, l: &Layer) {
        let [x_r, x_w, x_k, x_v, x_a, x_g] = b.shifted;
        let [w_low, a_low, v_low, g_low] = b.low;
        let [w_tanh, g_sigmoid] = b.activated;

        // h = LN(x), and its mixtures with the token before
        r.step(Op::LayerNorm { eps: self.eps }, &[b.x], &l.attn_norm, &[], &[b.h]);
        r.step(Op::TokenShift, &[b.h], &[l.mu], &[l.att_shift], &b.shifted);

        // First all products of the mixtures: none waits for another.
        r.step(PRODUCT, &[x_r], &[l.receptance], &[], &[b.r]);
        r.step(PRODUCT, &[x_k], &[l.key], &[], &[b.k]);
        let v = if l.value_residual.is_some() { b.v[0] } else { b.v_first };
        r.step(PRODUCT, &[x_v], &[l.value], &[], &[v]);
        r.step(PRODUCT, &[x_w], &[l.decay[0]], &[], &[w_low]);
        r.step(Op::Elementwise(Function::Tanh), &[w_low], &[], &[], &[w_tanh]);
        r.step(PRODUCT, &[x_a], &[l.iclr[0]], &[], &[a_low]);
        r.step(PRODUCT, &[x_g], &[l.gate[0]], &[], &[g_low]);
        r.step(Op::Elementwise(Function::Sigmoid), &[g_low], &[], &[], &[g_sigmoid]);
        if let Some((pair, _)) = l.value_residual {
            r.step(PRODUCT, &[x_v], &[pair[0]], &[], &[v_low]);
        }

        // w2 tanh(w1 x_w);  a2 (a1 x_a);  v = v + (v_first - v) sigmoid(v0 + v2 (v1 x_v));  g = g2 sigmoid(g1 x_g)
        r.step(PRODUCT, &[w_tanh], &[l.decay[1]], &[], &[b.w]);
        r.step(PRODUCT, &[a_low], &[l.iclr[1]], &[], &[b.a]);
        let v = match l.value_residual {
            None => v,
            Some((pair, bias)) => {
                let [_, mix, mixed] = b.v;
                r.step(PRODUCT, &[v_low], &[pair[1]], &[], &[mix]);
                r.step(Op::ValueResidual, &[v, b.v_first, mix], &[bias], &[], &[mixed]);
                mixed
            }
        };

        r.step(PRODUCT, &[g_sigmoid], &[l.gate[1]], &[], &[b.g]);

        let eps = HEAD_NORM_EPS * self.head_size as f32;
        r.step(Op::Wkv7 { eps }, &[b.r, b.w, b.k, v, b.a], &l.wkv_weights, &[l.wkv], &[b.y]);

        // x = x + O (y g)
        r.step(Op::Multiply, &[b.y, b.g], &[], &[], &[b.gated]);
        r.step(RESIDUAL, &[b.gated], &[l.output], &[], &[b.x]);
    }

    fn record_channel_mix(&self, r: &mut Recorder, b: &Buffers, l: &Layer) {
        r.step(Op::LayerNorm { eps: self.eps }, &[b.x], &l.ffn_norm, &[], &[b.h]);
        r.step(Op::TokenShift, &[b.h], &[l.ffn_mu], &[l.ffn_shift], &[b.ffn_shifted]);

        // x = x + W_v relu(W_k x_k)^2
        r.step(PRODUCT, &[b.ffn_shifted], &[l.ffn_key], &[], &[b.hidden]);
        r.step(Op::Elementwise(Function::SquaredRelu), &[b.hidden], &[], &[], &[b.squared]);
        r.step(RESIDUAL, &[b.squared], &[l.ffn_value], &[], &[b.x]);
    }
}
