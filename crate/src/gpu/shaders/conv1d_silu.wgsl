// Causal depthwise convolution and its activation:
// out[t, c] = silu(bias[c] + sum_k weight[c, k] * x[t - (D_CONV - 1) + k, c]).
// x: a view of (T, x_stride); weight: (d_inner, D_CONV); state: (d_inner, D_CONV - 1), the inputs before the chunk, oldest
// first, left holding the chunk's last ones; out: (T, d_inner).
// Grid: (ceil(d_inner / 64), 1, 1); an invocation owns a channel and walks through time. Twin: cpu::kernels::conv1d_silu.

struct Params { // twin: params::Conv1dSilu
    d_inner: u32,
    x_stride: u32,
    x_start: u32,
}

struct Batch { // twin: params::Batch
    tokens: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let channel = id.x;
    if channel >= params.d_inner {
        return;
    }
    // The last input is kept beside the state's D_CONV - 1, so that a kernel of one tap is no special case.
    var window: array<f32, D_CONV>;
    for (var k = 0u; k + 1u < D_CONV; k++) {
        window[k + 1u] = state[channel * (D_CONV - 1u) + k];
    }
    for (var t = 0u; t < batch.tokens; t++) {
        for (var k = 0u; k + 1u < D_CONV; k++) {
            window[k] = window[k + 1u];
        }
        window[D_CONV - 1u] = x[t * params.x_stride + params.x_start + channel];
        var sum = bias[channel];
        for (var k = 0u; k < D_CONV; k++) {
            sum += weight[channel * D_CONV + k] * window[k];
        }
        out[t * params.d_inner + channel] = sum / (1.0 + exp(-sum));
    }
    for (var k = 0u; k + 1u < D_CONV; k++) {
        state[channel * (D_CONV - 1u) + k] = window[k + 1u];
    }
}
