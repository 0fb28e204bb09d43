// Selective scan and gate over the rows of all sequences:
//     s = exp(D_t A) s + D_t B xi;  y = (C . s + D xi) * silu(z),  D_t = softplus(dt + bias)
// dt, xi: (rows, d_inner); bias_d: (2, d_inner), the bias of dt, then D; a: (d_inner, D_STATE), negative; bc: (rows,
// 2 D_STATE); xz: (rows, 2 d_inner), z its second half; state: (slots, d_inner, D_STATE); out_acts: y as activations.
// Grid: (ceil(d_inner / CHANNELS), sequences, 1). LANES invocations share the states of a channel and walk through time,
// STEPS tokens at once: what these need is brought to workgroup memory together, and what they made leaves it together.
// Twin: cpu::kernels::selective_scan.

struct Params { // twin: params::SelectiveScan
    d_inner: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> dt: array<f32>;
@group(0) @binding(3) var<storage, read> bias_d: array<f32>;
@group(0) @binding(4) var<storage, read> a: array<f32>;
@group(0) @binding(5) var<storage, read> bc: array<f32>;
@group(0) @binding(6) var<storage, read> xi: array<f32>;
@group(0) @binding(7) var<storage, read> xz: array<f32>;
@group(0) @binding(8) var<storage, read_write> state: array<f32>;
@group(0) @binding(9) var<storage, read_write> out_acts: array<u32>;

const STATES: u32 = (D_STATE + LANES - 1u) / LANES;

// All (STEPS, ...): B and C of a token; time step, input and gate of a channel, of which y takes the input's place.
var<workgroup> bc_of: array<f32, STEPS * 2u * D_STATE>;
var<workgroup> step_of: array<f32, STEPS * CHANNELS>;
var<workgroup> input_of: array<f32, STEPS * CHANNELS>;
var<workgroup> gate_of: array<f32, STEPS * CHANNELS>;

fn load_steps(first_row: u32, steps: u32, first_channel: u32, local: u32) {
    for (var i = local; i < steps * 2u * D_STATE; i += WORKGROUP) {
        bc_of[i] = bc[first_row * 2u * D_STATE + i];
    }
    for (var i = local; i < steps * CHANNELS; i += WORKGROUP) {
        // Past the last channel the last one is read again.
        let channel = min(first_channel + i % CHANNELS, params.d_inner - 1u);
        let row = first_row + i / CHANNELS;
        step_of[i] = softplus(dt[row * params.d_inner + channel] + bias_d[channel]);
        input_of[i] = xi[row * params.d_inner + channel];
        let gate = xz[(2u * row + 1u) * params.d_inner + channel];
        gate_of[i] = gate / (1.0 + exp(-gate));
    }
}

fn write_steps(first_row: u32, steps: u32, first_channel: u32, local: u32) {
    const RUNS_HERE: u32 = CHANNELS / RUN_LEN;
    for (var i = local; i < steps * RUNS_HERE; i += WORKGROUP) {
        let run = first_channel / RUN_LEN + i % RUNS_HERE;
        if RUN_LEN * run < params.d_inner {
            var values: array<f32, RUN_LEN>;
            for (var j = 0u; j < min(RUN_LEN, params.d_inner - RUN_LEN * run); j++) {
                values[j] = input_of[RUN_LEN * i + j];
            }
            write_run(first_row + i / RUNS_HERE, run, &values);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let own = local / LANES;
    let first_channel = CHANNELS * group.x;
    let channel = min(first_channel + own, params.d_inner - 1u);
    let slots = batch.slots[group.y];
    let d = bias_d[params.d_inner + channel];

    var s: array<f32, STATES>;
    var a_of: array<f32, STATES>;
    for (var i = 0u; i < STATES; i++) {
        let n = lane + i * LANES;
        if n < D_STATE {
            s[i] = state[(slots.x * params.d_inner + channel) * D_STATE + n];
            a_of[i] = a[channel * D_STATE + n];
        }
    }
    for (var t = 0u; t < batch.tokens; t += STEPS) {
        let first_row = group.y * batch.tokens + t;
        let steps = min(STEPS, batch.tokens - t);
        load_steps(first_row, steps, first_channel, local);
        workgroupBarrier();
        for (var k = 0u; k < steps; k++) {
            let at = k * CHANNELS + own;
            let step = step_of[at];
            let input = input_of[at];
            var y = 0.0;
            for (var i = 0u; i < STATES; i++) {
                let n = lane + i * LANES;
                if n < D_STATE {
                    s[i] = exp(step * a_of[i]) * s[i] + step * bc_of[k * 2u * D_STATE + n] * input;
                    y += bc_of[k * 2u * D_STATE + D_STATE + n] * s[i];
                }
            }
            y = lane_group_sum(y, local);
            if lane == 0u {
                input_of[at] = (y + d * input) * gate_of[at];
            }
        }
        workgroupBarrier();
        write_steps(first_row, steps, first_channel, local);
        workgroupBarrier();
    }
    if first_channel + own < params.d_inner {
        for (var i = 0u; i < STATES; i++) {
            let n = lane + i * LANES;
            if n < D_STATE {
                state[(slots.y * params.d_inner + channel) * D_STATE + n] = s[i];
            }
        }
    }
}
