// RWKV-7's recurrence for one token in decode, what follows it, and its gate: as wkv7.wgsl and wkv7_norm.wgsl, and
//     out_i = g_i y_i
// early: r and k, somewhere in one buffer, late: w, a and g in another, because eight buffers are all that a kernel binds; v: (columns);
// the rest as there, of one row.
// Grid: (heads, 1, 1); see shared/wkv7.wgsl. Twin: cpu::kernels::wkv7, then multiply.

struct Params { // twin: params::Wkv7Gate
    columns: u32,
    eps: f32,
    // First quads.
    r: u32,
    k: u32,
    w: u32,
    a: u32,
    g: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> early: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> late: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> out_acts: array<u32>;

fn r_at(quad: u32) -> vec4<f32> {
    return early[params.r + quad];
}

fn w_at(quad: u32) -> vec4<f32> {
    return late[params.w + quad];
}

fn k_at(quad: u32) -> vec4<f32> {
    return early[params.k + quad];
}

fn a_at(quad: u32) -> vec4<f32> {
    return late[params.a + quad];
}

// Of each quad of the head.
var<workgroup> y_of: array<array<f32, 4>, QUADS>;
var<workgroup> bonus_of: array<f32, QUADS>;
var<workgroup> norm_weight_of: array<vec4<f32>, QUADS>;
var<workgroup> norm_bias_of: array<vec4<f32>, QUADS>;
var<workgroup> gate_of: array<vec4<f32>, QUADS>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let head = group.x;
    let lane = local % LANES;
    let first = local / LANES * ROWS;
    let slots = batch.slots[0];
    let row_quads = params.columns / 4u;
    // All that it waits for is asked for at once.
    var block: Block;
    fetch_steps(0u, 1u, head, local, &block);
    var s: Rows;
    for (var i = 0u; i < ROWS * OWN_QUADS; i++) {
        s[i] = state[state_at(slots.x, head, first, lane, i)];
    }
    let own = own_vectors(head, local);
    let at = QUADS * head + local % QUADS;
    let r_k = vectors[4u * row_quads + at];
    if local < QUADS {
        norm_weight_of[local] = vectors[5u * row_quads + at];
        norm_bias_of[local] = vectors[6u * row_quads + at];
        gate_of[local] = late[params.g + at];
    }
    make_steps(1u, local, own, &block);
    if local < QUADS {
        let token = quads[0][local / LANES][local % LANES];
        bonus_of[local] = dot(token.r * token.k, r_k);
    }
    var y = walk_step(0u, first, lane, &s);
    sum_over_lanes(&y);
    if lane == 0u {
        for (var row = 0u; row < ROWS; row++) {
            y_of[(first + row) / 4u][(first + row) % 4u] = y[row];
        }
    }
    for (var i = 0u; i < ROWS * OWN_QUADS; i++) {
        state[state_at(slots.y, head, first, lane, i)] = s[i];
    }
    workgroupBarrier();
    write_head(head, local);
}

fn y_at(quad: u32) -> vec4<f32> {
    return vec4(y_of[quad][0], y_of[quad][1], y_of[quad][2], y_of[quad][3]);
}

// Each run makes mean and variance of the head again: that takes no barrier.
fn write_head(head: u32, local: u32) {
    const RUNS_HERE: u32 = HEAD_SIZE / RUN_LEN;
    for (var run = local; run < RUNS_HERE; run += WORKGROUP) {
        var total = vec4(0.0);
        var bonus = 0.0;
        for (var quad = 0u; quad < QUADS; quad++) {
            total += y_at(quad);
            bonus += bonus_of[quad];
        }
        let mean = dot(total, vec4(1.0 / f32(HEAD_SIZE)));
        var squares = vec4(0.0);
        for (var quad = 0u; quad < QUADS; quad++) {
            let centred = y_at(quad) - mean;
            squares += centred * centred;
        }
        let scale = 1.0 / sqrt(dot(squares, vec4(1.0 / f32(HEAD_SIZE))) + params.eps);
        var values: array<f32, RUN_LEN>;
        for (var j = 0u; j < RUN_LEN / 4u; j++) {
            let quad = RUN_LEN / 4u * run + j;
            let norm = (y_at(quad) - mean) * scale * norm_weight_of[quad] + norm_bias_of[quad];
            let out = gate_of[quad] * (norm + v_of[0][quad] * bonus);
            values[4u * j] = out.x;
            values[4u * j + 1u] = out.y;
            values[4u * j + 2u] = out.z;
            values[4u * j + 3u] = out.w;
        }
        write_run(0u, RUNS_HERE * head + run, &values);
    }
}
