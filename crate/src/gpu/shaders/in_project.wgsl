// The start of a layer in decode: norm's scale, W_in, then for x rows convolution and activation, for one token.
//     xi = silu(conv1d(scale * W_in[c] . h) + bias);  z = scale * W_in[d_inner + c] . h
// W: (rows, COLUMNS) in units, a shard of (2 d_inner, d_model); acts: one row, times the norm's weights but not yet its
// scale; conv_weight: (d_inner, D_CONV); state: (slots, d_inner, D_CONV - 1), oldest first; xz: (2 d_inner), of which z is
// written; xi: (d_inner). What reads xi next is W_x, so small that it takes f32 activations in any mode.
// Grid: (ceil(rows / (LANE_GROUPS * ROWS)), 1, 1).
// Twin: cpu::kernels::matmul, then conv1d_silu.

struct Params { // twin: params::InProject
    rows: u32,
    first_row: u32,
    width: u32,
    scaled: u32, // 0: x is normalised already
    d_inner: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(4) var<storage, read> conv_weight: array<f32>;
@group(0) @binding(5) var<storage, read> conv_bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> state: array<f32>;
@group(0) @binding(7) var<storage, read_write> xz: array<f32>;
@group(0) @binding(8) var<storage, read_write> xi: array<f32>;

const TAPS: u32 = D_CONV - 1u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let first = (group.x * LANE_GROUPS + local / LANES) * ROWS;
    let channel = params.first_row + first + lane;
    let owns = lane < ROWS && first + lane < params.rows;
    let convolves = owns && channel < params.d_inner;

    // What the end needs is asked for now, so that it has arrived by then.
    var window: array<f32, D_CONV>;
    var weights_of: array<f32, D_CONV>;
    var bias = 0.0;
    if convolves {
        let from_state = (batch.slots[0].x * params.d_inner + channel) * TAPS;
        for (var k = 0u; k < TAPS; k++) {
            window[k] = state[from_state + k];
        }
        for (var k = 0u; k < D_CONV; k++) {
            weights_of[k] = conv_weight[channel * D_CONV + k];
        }
        bias = conv_bias[channel];
    }

    let squares = first_squares(lane);

    let products = row_products(first, params.rows, 0u, local);
    var scale = 1.0;
    if params.scaled == 1u {
        scale = norm_scale(squares, params.width, params.eps, local);
    }
    let product = scale * own_product(products, lane);

    if convolves {
        window[TAPS] = product;
        var sum = bias;
        for (var k = 0u; k < D_CONV; k++) {
            sum += weights_of[k] * window[k];
        }
        xi[channel] = sum / (1.0 + exp(-sum));
        let to_state = (batch.slots[0].y * params.d_inner + channel) * TAPS;
        for (var k = 0u; k < TAPS; k++) {
            state[to_state + k] = window[k + 1u];
        }
    } else if owns {
        xz[channel] = product;
    }
}
