// The middle of a layer in decode: norms of dt, B and C, W_dt, softplus, one step of the selective scan, and the gate.
//     D_t = softplus(W_dt[c] . dt + bias);  s = exp(D_t A) s + D_t B xi;  y = (C . s + D xi) * silu(z)
// W: (rows, COLUMNS = dt_rank) in units, a shard of (d_inner, dt_rank); dbc: (dt_rank + 2 D_STATE); bias_d: (2, d_inner), the
// bias of dt, then D; a: (d_inner, D_STATE), negative; xi: (d_inner); xz: (2 d_inner), z its second half; state: (slots,
// d_inner, D_STATE); out_acts: y as activations.
// Grid: (ceil(rows / CHANNELS), 1, 1); LANES invocations share a channel, its columns of W_dt and its states. Every
// workgroup makes the norms again: they are tiny.
// Twin: cpu::kernels::split_dt_b_c, then matmul and selective_scan.

struct Params { // twin: params::DtScan
    rows: u32,
    first_row: u32, // a multiple of 16
    d_inner: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(3) var<storage, read> dbc: array<f32>;
@group(0) @binding(4) var<storage, read> bias_d: array<f32>;
@group(0) @binding(5) var<storage, read> a: array<f32>;
@group(0) @binding(6) var<storage, read> xi: array<f32>;
@group(0) @binding(7) var<storage, read> xz: array<f32>;
@group(0) @binding(8) var<storage, read_write> state: array<f32>;
@group(0) @binding(9) var<storage, read_write> out_acts: array<u32>;

const DT_VECTORS: u32 = 8u * UNITS;
const STATES: u32 = (D_STATE + LANES - 1u) / LANES;

var<workgroup> dt_values: array<vec4<f32>, DT_VECTORS>;
var<workgroup> bc: array<f32, 2u * D_STATE>;
var<workgroup> finished: array<f32, CHANNELS>;

fn dt_vector(i: u32) -> vec4<f32> {
    var values = vec4(0.0);
    for (var j = 0u; j < 4u; j++) {
        if 4u * i + j < COLUMNS {
            values[j] = dbc[4u * i + j];
        }
    }
    return values;
}

// dt, B and C to workgroup memory, each divided by its root mean square where the model says so.
fn split(local: u32) {
    var scale = vec4(1.0);
    if NORM_DT_B_C {
        var squares = vec4(0.0);
        for (var i = local; i < DT_VECTORS; i += WORKGROUP) {
            let values = dt_vector(i);
            squares.x += dot(values, values);
        }
        for (var n = local; n < D_STATE; n += WORKGROUP) {
            let b = dbc[COLUMNS + n];
            let c = dbc[COLUMNS + D_STATE + n];
            squares.y += b * b;
            squares.z += c * c;
        }
        let widths = vec4(f32(COLUMNS), f32(D_STATE), f32(D_STATE), 1.0);
        scale = 1.0 / sqrt(workgroup_sum(squares, local) / widths + params.eps);
    }
    for (var i = local; i < DT_VECTORS; i += WORKGROUP) {
        dt_values[i] = scale.x * dt_vector(i);
    }
    for (var n = local; n < D_STATE; n += WORKGROUP) {
        bc[n] = scale.y * dbc[COLUMNS + n];
        bc[D_STATE + n] = scale.z * dbc[COLUMNS + D_STATE + n];
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let own = local / LANES;
    let row = CHANNELS * group.x + own;
    // Past the last row the last one is made again, and written nowhere.
    let valid = row < params.rows;
    let channel = params.first_row + min(row, params.rows - 1u);

    // What comes after the first barrier needs is asked for before it.
    var s: array<f32, STATES>;
    var a_of: array<f32, STATES>;
    for (var i = 0u; i < STATES; i++) {
        let n = lane + i * LANES;
        if n < D_STATE {
            s[i] = state[(batch.slots[0].x * params.d_inner + channel) * D_STATE + n];
            a_of[i] = a[channel * D_STATE + n];
        }
    }
    let input = xi[channel];
    let gate = xz[params.d_inner + channel];
    let bias = bias_d[channel];
    let d = bias_d[params.d_inner + channel];

    let weights_row = (channel - params.first_row) * ROW_VECTORS;
    var next_w = unit_values(weights_row, BLOCKS, min(lane, UNITS - 1u));

    split(local);
    workgroupBarrier();
    var sum = 0.0;
    for (var unit = lane; unit < UNITS; unit += LANES) {
        let w = next_w;
        if unit + LANES < UNITS {
            next_w = unit_values(weights_row, BLOCKS, unit + LANES);
        }
        let at = unit_columns(unit) / 4u;
        sum += dot(w[0], dt_values[at.x]) + dot(w[1], dt_values[at.x + 1u])
            + dot(w[2], dt_values[at.x + 2u]) + dot(w[3], dt_values[at.x + 3u])
            + dot(w[4], dt_values[at.y]) + dot(w[5], dt_values[at.y + 1u])
            + dot(w[6], dt_values[at.y + 2u]) + dot(w[7], dt_values[at.y + 3u]);
    }
    let step = softplus(lane_group_sum(sum, local) + bias);

    var y = 0.0;
    for (var i = 0u; i < STATES; i++) {
        let n = lane + i * LANES;
        if n < D_STATE {
            let next = exp(step * a_of[i]) * s[i] + step * bc[n] * input;
            y += bc[D_STATE + n] * next;
            if valid {
                state[(batch.slots[0].y * params.d_inner + channel) * D_STATE + n] = next;
            }
        }
    }
    y = lane_group_sum(y, local);
    if lane == 0u {
        finished[own] = select(0.0, (y + d * input) * gate / (1.0 + exp(-gate)), valid);
    }
    workgroupBarrier();
    let run = (params.first_row + CHANNELS * group.x) / RUN_LEN + local;
    if local < CHANNELS / RUN_LEN && RUN_LEN * run < params.d_inner {
        var values: array<f32, RUN_LEN>;
        for (var i = 0u; i < RUN_LEN; i++) {
            values[i] = finished[RUN_LEN * local + i];
        }
        write_run(0u, run, &values);
    }
}
