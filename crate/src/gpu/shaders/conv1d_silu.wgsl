// Causal depthwise convolution and its activation, over the rows of all sequences:
// xi[t, c] = silu(bias[c] + sum_k weight[c, k] * x[t - (D_CONV - 1) + k, c]).
// xz: (rows, stride), x its first d_inner columns; weight: (d_inner, D_CONV); state: (slots, d_inner, D_CONV - 1), the inputs before
// the chunk, oldest first; the slot that is written gets the chunk's last ones. xi: (rows, d_inner); out_acts: xi again.
// Grid: (ceil(d_inner / 64), rows, 1); an invocation owns a channel of a row. Nothing runs through time here, but a sequence
// of several rows must not write the slot that it reads. Twin: cpu::kernels::conv1d_silu.

struct Params { // twin: params::Conv1dSilu
    d_inner: u32,
    stride: u32, // floats of a row of xz
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> xz: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;
@group(0) @binding(6) var<storage, read_write> xi: array<f32>;
@group(0) @binding(7) var<storage, read_write> out_acts: array<u32>;

const TAPS: u32 = D_CONV - 1u;

var<workgroup> finished: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = 64u * group.x + local;
    let row = group.y;
    let sequence = row / batch.tokens;
    let t = row % batch.tokens;
    var value = 0.0;
    if channel < params.d_inner {
        let slots = batch.slots[sequence];
        let from_state = (slots.x * params.d_inner + channel) * TAPS;
        // Input k of the window is that of time t + k - TAPS; before the chunk it is the state's.
        var window: array<f32, D_CONV>;
        for (var k = 0u; k < D_CONV; k++) {
            if t + k >= TAPS {
                window[k] = xz[(row + k - TAPS) * params.stride + channel];
            } else {
                window[k] = state[from_state + t + k];
            }
        }
        var sum = bias[channel];
        for (var k = 0u; k < D_CONV; k++) {
            sum += weight[channel * D_CONV + k] * window[k];
        }
        value = sum / (1.0 + exp(-sum));
        xi[row * params.d_inner + channel] = value;
        if t + 1u == batch.tokens {
            let to_state = (slots.y * params.d_inner + channel) * TAPS;
            for (var k = 0u; k < TAPS; k++) {
                state[to_state + k] = window[k + 1u];
            }
        }
    }
    finished[local] = value;
    workgroupBarrier();
    let run = 4u * group.x + local;
    if local < 4u && RUN_LEN * run < params.d_inner {
        var values: array<f32, RUN_LEN>;
        for (var i = 0u; i < RUN_LEN; i++) {
            values[i] = finished[RUN_LEN * local + i];
        }
        write_run(row, run, &values);
    }
}
