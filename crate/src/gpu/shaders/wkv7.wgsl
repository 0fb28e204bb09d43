// RWKV-7's recurrence, head by head, over the rows of all sequences:
//     w = exp(-0.606531 sigmoid(w + w0));  a = sigmoid(a + a0);  kk = k k_k / max(|k k_k|, 1e-12);  k = k (1 + (a - 1) k_a)
//     S_ij = S_ij w_j + v_i k_j - (sum_m S_im kk_m) kk_j a_j;  y_i = sum_j S_ij r_j
//     out_i = (y_i - mean(y)) / sqrt(var(y) + eps) * weight_i + bias_i + v_i (sum_j r_j k_j r_k_j)
// r, w, k, v, a: (rows, columns), heads of HEAD_SIZE columns; vectors: (7, columns): w0, a0, k_k, k_a, r_k, weight, bias; state:
// (slots, columns, HEAD_SIZE), a row a value; out_acts: (rows), as write_run lays it out. A quad is four neighbouring columns.
// Grid: (heads, sequences, 1). LANES invocations share a row of S, which they keep, and walk through time, STEPS tokens at once:
// what these need is brought to workgroup memory together, and what they made is normalised together.
// Twin: cpu::kernels::wkv7.

struct Params { // twin: params::Wkv7
    columns: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> r: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> v: array<f32>;
@group(0) @binding(6) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> out_acts: array<u32>;

const QUADS: u32 = HEAD_SIZE / 4u;
const OWN_QUADS: u32 = QUADS / LANES;

// All (STEPS, QUADS).
var<workgroup> r_of: array<vec4<f32>, STEPS * QUADS>;
var<workgroup> w_of: array<vec4<f32>, STEPS * QUADS>;
var<workgroup> k_of: array<vec4<f32>, STEPS * QUADS>;
// k k_k, whose length is not 1 yet; and that times a.
var<workgroup> kk_of: array<vec4<f32>, STEPS * QUADS>;
var<workgroup> kk_a_of: array<vec4<f32>, STEPS * QUADS>;
// r k r_k
var<workgroup> bonus_of: array<vec4<f32>, STEPS * QUADS>;
// (STEPS, HEAD_SIZE)
var<workgroup> finished: array<f32, STEPS * HEAD_SIZE>;

fn load_steps(first_row: u32, steps: u32, head: u32, local: u32) {
    let row_quads = params.columns / 4u;
    for (var i = local; i < steps * QUADS; i += WORKGROUP) {
        let quad = QUADS * head + i % QUADS;
        let at = (first_row + i / QUADS) * row_quads + quad;
        let key = k[at];
        let rate = sigmoid4(a[at] + vectors[row_quads + quad]);
        let kk = key * vectors[2u * row_quads + quad];
        let changed = key * (1.0 + (rate - 1.0) * vectors[3u * row_quads + quad]);
        r_of[i] = r[at];
        w_of[i] = exp(-0.606531 * sigmoid4(w[at] + vectors[quad]));
        k_of[i] = changed;
        kk_of[i] = kk;
        kk_a_of[i] = kk * rate;
        bonus_of[i] = r[at] * changed * vectors[4u * row_quads + quad];
    }
}

fn write_steps(first_row: u32, steps: u32, head: u32, local: u32) {
    const RUNS_HERE: u32 = HEAD_SIZE / RUN_LEN;
    for (var i = local; i < steps * RUNS_HERE; i += WORKGROUP) {
        var values: array<f32, RUN_LEN>;
        for (var j = 0u; j < RUN_LEN; j++) {
            values[j] = finished[RUN_LEN * i + j];
        }
        write_run(first_row + i / RUNS_HERE, RUNS_HERE * head + i % RUNS_HERE, &values);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let own = local / LANES;
    // Past the last row the last one is made again, and written nowhere.
    let valid = own < HEAD_SIZE;
    let channel = HEAD_SIZE * group.x + min(own, HEAD_SIZE - 1u);
    let slots = batch.slots[group.y];
    let row_quads = params.columns / 4u;
    let norm_weight = vectors[5u * row_quads + channel / 4u][channel % 4u];
    let norm_bias = vectors[6u * row_quads + channel / 4u][channel % 4u];
    let counted = select(0.0, 1.0 / f32(HEAD_SIZE), valid && lane == 0u);

    var s: array<vec4<f32>, OWN_QUADS>;
    for (var i = 0u; i < OWN_QUADS; i++) {
        s[i] = state[(slots.x * params.columns + channel) * QUADS + lane + i * LANES];
    }
    for (var t = 0u; t < batch.tokens; t += STEPS) {
        let first_row = group.y * batch.tokens + t;
        let steps = min(STEPS, batch.tokens - t);
        load_steps(first_row, steps, group.x, local);
        workgroupBarrier();
        // A component a token.
        var y = vec4(0.0);
        var bonus = vec4(0.0);
        for (var step = 0u; step < steps; step++) {
            let first = step * QUADS + lane;
            var sums = vec3(0.0);
            for (var i = 0u; i < OWN_QUADS; i++) {
                let kk = kk_of[first + i * LANES];
                sums += vec3(dot(s[i], kk), dot(kk, kk), dot(bonus_of[first + i * LANES], vec4(1.0)));
            }
            let magnitude = max(sqrt(lane_group_sum(sums.y, local)), 1e-12);
            let removed = lane_group_sum(sums.x, local) / magnitude / magnitude;
            let value = v[(first_row + step) * params.columns + channel];
            var sum = 0.0;
            for (var i = 0u; i < OWN_QUADS; i++) {
                let at = first + i * LANES;
                s[i] = s[i] * w_of[at] + value * k_of[at] - removed * kk_a_of[at];
                sum += dot(s[i], r_of[at]);
            }
            y[step] = lane_group_sum(sum, local);
            bonus[step] = value * lane_group_sum(sums.z, local);
        }
        let centred = y - workgroup_sum(counted * y, local);
        let variance = workgroup_sum(counted * centred * centred, local);
        let out = centred / sqrt(variance + params.eps) * norm_weight + norm_bias + bonus;
        if valid && lane == 0u {
            for (var step = 0u; step < steps; step++) {
                finished[step * HEAD_SIZE + own] = out[step];
            }
        }
        workgroupBarrier();
        write_steps(first_row, steps, group.x, local);
    }
    if valid {
        for (var i = 0u; i < OWN_QUADS; i++) {
            state[(slots.y * params.columns + channel) * QUADS + lane + i * LANES] = s[i];
        }
    }
}
