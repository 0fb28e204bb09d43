//! The kernels, one function for each step of a plan and each WGSL file of the same name. All are written for one reading:
//! the formula, row by row. Faster ones are compared with these.

use super::Matrix;
use crate::model::Function;

/// Columns `start .. start + width` of a row-major array whose rows are `stride` apart.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// The whole array.
    pub data: &'a [f32],
    /// Floats from one row to the next.
    pub stride: usize,
    /// First column.
    pub start: usize,
    /// Number of columns.
    pub width: usize,
}

impl<'a> Columns<'a> {
    /// Row `row`, (width).
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride + self.start..][..self.width]
    }
}

/// `out[t] = table[rows[t]]`, zero where there is no row; `out` is (T, columns).
pub fn embed(rows: impl Iterator<Item = Option<usize>>, table: &Matrix, out: &mut [f32]) {
    for (row, out) in rows.zip(out.chunks_exact_mut(table.columns())) {
        match row {
            Some(row) => table.decode_row(row, out),
            None => out.fill(0.0),
        }
    }
}

/// `out = x / sqrt(mean(x^2) + eps) * weight`; `x` and `out` are (rows, width), `weight` is (width).
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let scale = 1.0 / root_mean_square(x, eps);
        out.iter_mut().zip(x).zip(weight).for_each(|((o, &x), &w)| *o = x * scale * w);
    }
}

fn root_mean_square(x: &[f32], eps: f32) -> f32 {
    (dot(x, x) / x.len() as f32 + eps).sqrt()
}

/// `dt, B, C = split(dbc)`, each divided by its root mean square where there is an `eps`; `dbc` is
/// (T, dt_rank + 2 d_state), `dt` (T, dt_rank), `bc` (T, 2 d_state).
pub fn split_dt_b_c(dbc: &[f32], dt_rank: usize, d_state: usize, eps: Option<f32>, dt: &mut [f32], bc: &mut [f32]) {
    let scaled = |from: &[f32], to: &mut [f32]| {
        let scale = eps.map_or(1.0, |eps| 1.0 / root_mean_square(from, eps));
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
    };
    let rows = dbc.chunks_exact(dt_rank + 2 * d_state);
    for ((row, dt), bc) in rows.zip(dt.chunks_exact_mut(dt_rank)).zip(bc.chunks_exact_mut(2 * d_state)) {
        scaled(&row[..dt_rank], dt);
        scaled(&row[dt_rank..][..d_state], &mut bc[..d_state]);
        scaled(&row[dt_rank + d_state..], &mut bc[d_state..]);
    }
}

/// `out = W x`, or `out += W x` where `accumulate`; `x` is (T, columns), `out` (T, rows).
/// Each weight row is decoded once for all tokens; `scratch` holds it, (columns).
pub fn matmul(w: &Matrix, x: Columns<'_>, tokens: usize, accumulate: bool, scratch: &mut Vec<f32>, out: &mut [f32]) {
    scratch.resize(w.columns(), 0.0);
    for row in 0..w.rows() {
        w.decode_row(row, scratch);
        for t in 0..tokens {
            let product = dot(scratch, x.row(t));
            let out = &mut out[t * w.rows() + row];
            *out = if accumulate { *out + product } else { product };
        }
    }
}

/// `out[t, c] = silu(bias[c] + sum_k weight[c, k] * x[t - (d_conv - 1) + k, c])`, where x before the chunk comes from `state`,
/// (d_inner, d_conv - 1), oldest first; `state` is left holding the last d_conv - 1 inputs.
pub fn conv1d_silu(x: Columns<'_>, tokens: usize, weight: &[f32], bias: &[f32], state: &mut [f32], out: &mut [f32]) {
    let d_inner = x.width;
    let d_conv = weight.len() / d_inner;
    for t in 0..tokens {
        let x = x.row(t);
        let out = &mut out[t * d_inner..][..d_inner];
        for c in 0..d_inner {
            let taps = &weight[c * d_conv..][..d_conv];
            let past = &mut state[c * (d_conv - 1)..][..d_conv - 1];
            let older: f32 = taps.iter().zip(past.iter()).map(|(w, x)| w * x).sum();
            out[c] = silu(bias[c] + older + taps[d_conv - 1] * x[c]);
            // A convolution of one tap has no past.
            if let Some(newest) = past.len().checked_sub(1) {
                past.copy_within(1.., 0);
                past[newest] = x[c];
            }
        }
    }
}

/// What one layer's selective scan reads.
#[derive(Debug, Clone, Copy)]
pub struct ScanInputs<'a> {
    /// The input: (T, d_inner).
    pub x: &'a [f32],
    /// Time step before bias and softplus: (T, d_inner).
    pub dt: &'a [f32],
    /// (d_inner).
    pub dt_bias: &'a [f32],
    /// A, negative: (d_inner, d_state).
    pub a: &'a [f32],
    /// D: (d_inner).
    pub d: &'a [f32],
    /// B, then C: (T, 2 d_state).
    pub bc: &'a [f32],
    /// The gate: (T, d_inner).
    pub z: Columns<'a>,
}

/// `s = exp(D_t A) s + D_t B x;  out = (C . s + D x) * silu(z)`; `out` is (T, d_inner), `state` (d_inner, d_state).
pub fn selective_scan(inputs: ScanInputs<'_>, tokens: usize, state: &mut [f32], out: &mut [f32]) {
    let d_inner = inputs.d.len();
    let d_state = state.len() / d_inner;
    for t in 0..tokens {
        let (b, c) = inputs.bc[t * 2 * d_state..][..2 * d_state].split_at(d_state);
        let z = inputs.z.row(t);
        for channel in 0..d_inner {
            let x = inputs.x[t * d_inner + channel];
            let dt = softplus(inputs.dt[t * d_inner + channel] + inputs.dt_bias[channel]);
            let a = &inputs.a[channel * d_state..][..d_state];
            let s = &mut state[channel * d_state..][..d_state];
            let mut y = 0.0;
            for n in 0..d_state {
                s[n] = (dt * a[n]).exp() * s[n] + dt * b[n] * x;
                y += c[n] * s[n];
            }
            out[t * d_inner + channel] = (y + inputs.d[channel] * x) * silu(z[channel]);
        }
    }
}

/// `out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias`; `x` and `out` are (rows, width), `weight` and `bias` (width).
pub fn layer_norm(x: &[f32], [weight, bias]: [&[f32]; 2], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        normalise(x, eps, out);
        out.iter_mut().zip(weight).zip(bias).for_each(|((o, w), b)| *o = *o * w + b);
    }
}

/// `out = (x - mean(x)) / sqrt(var(x) + eps)`.
fn normalise(x: &[f32], eps: f32, out: &mut [f32]) {
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    out.iter_mut().zip(x).for_each(|(o, x)| *o = x - mean);
    let scale = 1.0 / root_mean_square(out, eps);
    out.iter_mut().for_each(|o| *o *= scale);
}

/// `outs[i][t] = x[t] + (x[t - 1] - x[t]) * mu[i]`, where x before the chunk is `state`, which is left holding the last x; `x` and
/// each of `outs` are (T, width), `mu` (outs, width), `state` (width).
pub fn token_shift(x: &[f32], mu: &[f32], state: &mut [f32], outs: &mut [&mut [f32]]) {
    let width = state.len();
    for (t, x) in x.chunks_exact(width).enumerate() {
        for (mu, out) in mu.chunks_exact(width).zip(outs.iter_mut()) {
            let out = &mut out[t * width..][..width];
            for c in 0..width {
                out[c] = x[c] + (state[c] - x[c]) * mu[c];
            }
        }
        state.copy_from_slice(x);
    }
}

/// `out = f(x)`, value by value.
pub fn elementwise(function: Function, x: &[f32], out: &mut [f32]) {
    out.iter_mut().zip(x).for_each(|(o, &x)| *o = apply(function, x));
}

fn apply(function: Function, x: f32) -> f32 {
    match function {
        Function::Tanh => x.tanh(),
        Function::Sigmoid => sigmoid(x),
        // Not by `max`, which would make a number of NaN.
        Function::SquaredRelu => {
            if x < 0.0 {
                0.0
            } else {
                x * x
            }
        }
    }
}

/// `out = x * y`, value by value.
pub fn multiply(x: &[f32], y: &[f32], out: &mut [f32]) {
    out.iter_mut().zip(x).zip(y).for_each(|((o, x), y)| *o = x * y);
}

/// `out = x + (first - x) * sigmoid(mix + bias)`; all are (T, width) but `bias`, (width).
pub fn value_residual([x, first, mix]: [&[f32]; 3], bias: &[f32], out: &mut [f32]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = x[i] + (first[i] - x[i]) * sigmoid(mix[i] + bias[i % bias.len()]);
    }
}

/// What one layer's recurrence reads: all of `heads * head_size` columns.
#[derive(Debug, Clone, Copy)]
pub struct WkvInputs<'a> {
    /// Receptance: (T, columns).
    pub r: &'a [f32],
    /// Decay before bias and sigmoid: (T, columns).
    pub w: &'a [f32],
    /// Key: (T, columns).
    pub k: &'a [f32],
    /// Value: (T, columns).
    pub v: &'a [f32],
    /// In-context learning rate before bias and sigmoid: (T, columns).
    pub a: &'a [f32],
    /// Biases of w and a, factors of the removed and of the new key, and of the bonus: w0, a0, k_k, k_a, r_k.
    pub weights: [&'a [f32]; 5],
    /// The norm's factors and summands.
    pub norm: [&'a [f32]; 2],
    /// Added to the norm's variance.
    pub eps: f32,
}

/// `-e^-0.5`, to the digits that the model was trained with.
pub const DECAY: f32 = -0.606_531;

/// RWKV-7's recurrence, as [`crate::model::arch::rwkv7`] has it; `out` is (T, columns), `state` (columns, head_size).
pub fn wkv7(inputs: WkvInputs<'_>, tokens: usize, state: &mut [f32], out: &mut [f32]) {
    let columns = inputs.norm[0].len();
    let head_size = state.len() / columns;
    for t in 0..tokens {
        for head in (0..columns).step_by(head_size) {
            let state = &mut state[head * head_size..][..head_size * head_size];
            wkv7_head(&inputs, t * columns, head, state, &mut out[t * columns + head..][..head_size]);
        }
    }
}

/// One token of the head that begins at column `head`; `row` is where the token's row begins.
fn wkv7_head(inputs: &WkvInputs<'_>, row: usize, head: usize, state: &mut [f32], out: &mut [f32]) {
    let n = out.len();
    let of_token = |values: &'_ [f32]| values[row + head..][..n].to_vec();
    let [w0, a0, k_k, k_a, r_k] = inputs.weights.map(|weights| &weights[head..][..n]);
    let (r, v, projected) = (of_token(inputs.r), of_token(inputs.v), of_token(inputs.k));
    let biased =
        |values: &[f32], bias: &[f32]| of_token(values).iter().zip(bias).map(|(v, b)| v + b).collect::<Vec<_>>();
    let w: Vec<f32> = biased(inputs.w, w0).into_iter().map(|w| (DECAY * sigmoid(w)).exp()).collect();
    let a: Vec<f32> = biased(inputs.a, a0).into_iter().map(sigmoid).collect();
    let mut kk: Vec<f32> = projected.iter().zip(k_k).map(|(k, factor)| k * factor).collect();
    let length = dot(&kk, &kk).sqrt().max(1e-12);
    kk.iter_mut().for_each(|kk| *kk /= length);
    let k: Vec<f32> = (0..n).map(|j| projected[j] * (1.0 + (a[j] - 1.0) * k_a[j])).collect();
    let mut y = vec![0.0; n];
    for (i, s) in state.chunks_exact_mut(n).enumerate() {
        let removed = dot(s, &kk);
        for j in 0..n {
            s[j] = s[j] * w[j] + v[i] * k[j] - removed * kk[j] * a[j];
        }
        y[i] = dot(s, &r);
    }
    normalise(&y, inputs.eps, out);
    let bonus: f32 = (0..n).map(|j| r[j] * k[j] * r_k[j]).sum();
    let [weight, bias] = inputs.norm.map(|values| &values[head..][..n]);
    for i in 0..n {
        out[i] = out[i] * weight[i] + bias[i] + bonus * v[i];
    }
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `x * sigmoid(x)`.
pub fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}

/// `ln(1 + exp(x))`, the identity above 20 as in PyTorch and llama.cpp.
pub fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

/// Dot product in eight lanes, so that the order of addition is the same with and without vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
