// The recurrence of wkv7.wgsl and wkv7_gate.wgsl, which bind its operands and say where they are. A quad is four neighbouring columns.
// LANES invocations share ROWS rows of S, which they keep, and walk through time, STEPS tokens at once: what these need is made in
// workgroup memory together, once for all rows, while they walk the next tokens' values are on their way, and what they made is
// normalised together. Of the token before a row needs S alone, so that both of its sums are ready together:
//     S kk,  y = S r = S_before (w r) + v (k . r) - (S_before kk) (kk a . r)

const QUADS: u32 = HEAD_SIZE / 4u;
const OWN_QUADS: u32 = QUADS / LANES;
// Tokens of which each invocation brings a quad, always the same one of the head, and how many it brings.
const AT_ONCE: u32 = WORKGROUP / QUADS;
const BROUGHT: u32 = (STEPS + AT_ONCE - 1u) / AT_ONCE;
// Rows of neighbouring tokens begin in different banks.
const MADE_ROW: u32 = HEAD_SIZE + 4u;

// A quad of a token as it lies in the buffers.
struct Brought {
    r: vec4<f32>,
    w: vec4<f32>,
    k: vec4<f32>,
    v: vec4<f32>,
    a: vec4<f32>,
}

// The same quad of what makes a step of it.
struct Vectors {
    w0: vec4<f32>,
    a0: vec4<f32>,
    k_k: vec4<f32>,
    k_a: vec4<f32>,
    r_k: vec4<f32>,
}

// A quad of a token as its step reads it.
struct Quad {
    // k k_k, whose length is not 1 yet.
    kk: vec4<f32>,
    decayed_r: vec4<f32>,
    decay: vec4<f32>,
    k: vec4<f32>,
    kk_a: vec4<f32>,
}

// Of a token: 1 / |kk|^2, k . r, kk a . r, and sum r k r_k.
const INVERSE: u32 = 0u;
const K_R: u32 = 1u;
const KK_A_R: u32 = 2u;
const BONUS: u32 = 3u;

// Of the head.
var<workgroup> norm_weight_of: array<vec4<f32>, QUADS>;
var<workgroup> norm_bias_of: array<vec4<f32>, QUADS>;
var<workgroup> gate_of: array<vec4<f32>, QUADS>;
// Of a block of tokens.
var<workgroup> quads: array<array<array<Quad, LANES>, OWN_QUADS>, STEPS>;
var<workgroup> v_of: array<array<vec4<f32>, QUADS>, STEPS>;
var<workgroup> sums_of: array<array<f32, 4>, STEPS>;
// The parts of these sums by quads, then y.
var<workgroup> made: array<array<f32, MADE_ROW>, STEPS>;

// Asks for a block of tokens, none where `steps` is 0.
fn fetch_steps(first_row: u32, steps: u32, head: u32, local: u32, brought: ptr<function, array<Brought, BROUGHT>>) {
    for (var n = 0u; n < BROUGHT; n++) {
        let step = local / QUADS + n * AT_ONCE;
        if step < steps {
            let at = (first_row + step) * (params.columns / 4u) + QUADS * head + local % QUADS;
            (*brought)[n] = Brought(r_at(at), w_at(at), k_at(at), v[at], a_at(at));
        }
    }
}

fn make_steps(steps: u32, local: u32, own: Vectors, brought: ptr<function, array<Brought, BROUGHT>>) {
    let quad = local % QUADS;
    for (var n = 0u; n < BROUGHT; n++) {
        let step = local / QUADS + n * AT_ONCE;
        if step < steps {
            let token = (*brought)[n];
            let decay = exp(-0.606531 * sigmoid4(token.w + own.w0));
            let rate = sigmoid4(token.a + own.a0);
            let kk = token.k * own.k_k;
            let kk_a = kk * rate;
            let k = token.k * (1.0 + (rate - 1.0) * own.k_a);
            quads[step][quad / LANES][quad % LANES] = Quad(kk, decay * token.r, decay, k, kk_a);
            v_of[step][quad] = token.v;
            made[step][4u * quad + INVERSE] = dot(kk, kk);
            made[step][4u * quad + K_R] = dot(k, token.r);
            made[step][4u * quad + KK_A_R] = dot(kk_a, token.r);
            made[step][4u * quad + BONUS] = dot(token.r * k, own.r_k);
        }
    }
}

fn sum_steps(steps: u32, local: u32) {
    for (var i = local; i < 4u * steps; i += WORKGROUP) {
        let step = i / 4u;
        let which = i % 4u;
        var sum = 0.0;
        for (var quad = 0u; quad < QUADS; quad++) {
            sum += made[step][4u * quad + which];
        }
        let magnitude = max(sqrt(sum), 1e-12);
        sums_of[step][which] = select(sum, 1.0 / magnitude / magnitude, which == INVERSE);
    }
}

fn walk_steps(steps: u32, local: u32, s: ptr<function, array<vec4<f32>, ROWS * OWN_QUADS>>) {
    let lane = local % LANES;
    let first = local / LANES * ROWS;
    for (var step = 0u; step < steps; step++) {
        var value: array<f32, ROWS>;
        for (var row = 0u; row < ROWS; row++) {
            value[row] = v_of[step][(first + row) / 4u][(first + row) % 4u];
        }
        // Zeros by name: on Chromium's software adapter a variable without a value keeps that of the loop's last round.
        var sums = array<vec2<f32>, ROWS>();
        for (var i = 0u; i < OWN_QUADS; i++) {
            let kk = quads[step][i][lane].kk;
            let decayed_r = quads[step][i][lane].decayed_r;
            let decay = quads[step][i][lane].decay;
            let k = quads[step][i][lane].k;
            for (var row = 0u; row < ROWS; row++) {
                let before = (*s)[row * OWN_QUADS + i];
                sums[row] += vec2(dot(before, kk), dot(before, decayed_r));
                (*s)[row * OWN_QUADS + i] = before * decay + value[row] * k;
            }
        }
        sum_over_lanes(&sums);
        for (var row = 0u; row < ROWS; row++) {
            sums[row].x *= sums_of[step][INVERSE];
        }
        for (var i = 0u; i < OWN_QUADS; i++) {
            let kk_a = quads[step][i][lane].kk_a;
            for (var row = 0u; row < ROWS; row++) {
                (*s)[row * OWN_QUADS + i] -= sums[row].x * kk_a;
            }
        }
        if lane == 0u {
            for (var row = 0u; row < ROWS; row++) {
                made[step][first + row] =
                    sums[row].y + value[row] * sums_of[step][K_R] - sums[row].x * sums_of[step][KK_A_R];
            }
        }
    }
}

// Each run makes mean and variance of its token again: that takes no barrier.
fn write_steps(first_row: u32, steps: u32, head: u32, local: u32) {
    const RUNS_HERE: u32 = HEAD_SIZE / RUN_LEN;
    for (var i = local; i < steps * RUNS_HERE; i += WORKGROUP) {
        let step = i / RUNS_HERE;
        let run = i % RUNS_HERE;
        var total = vec4(0.0);
        for (var quad = 0u; quad < QUADS; quad++) {
            total += y_of(step, quad);
        }
        let mean = dot(total, vec4(1.0 / f32(HEAD_SIZE)));
        var squares = vec4(0.0);
        for (var quad = 0u; quad < QUADS; quad++) {
            let centred = y_of(step, quad) - mean;
            squares += centred * centred;
        }
        let scale = 1.0 / sqrt(dot(squares, vec4(1.0 / f32(HEAD_SIZE))) + params.eps);
        var values: array<f32, RUN_LEN>;
        for (var j = 0u; j < RUN_LEN / 4u; j++) {
            let quad = RUN_LEN / 4u * run + j;
            let norm_bias = norm_bias_of[quad];
            let bonus = v_of[step][quad] * sums_of[step][BONUS];
            let centred = y_of(step, quad) - mean;
            let out = gate_of[quad] * (centred * scale * norm_weight_of[quad] + norm_bias + bonus);
            values[4u * j] = out.x;
            values[4u * j + 1u] = out.y;
            values[4u * j + 2u] = out.z;
            values[4u * j + 3u] = out.w;
        }
        write_run(first_row + step, RUNS_HERE * head + run, &values);
    }
}

fn y_of(step: u32, quad: u32) -> vec4<f32> {
    let at = 4u * quad;
    return vec4(made[step][at], made[step][at + 1u], made[step][at + 2u], made[step][at + 3u]);
}

fn walk(head: u32, sequence: u32, local: u32) {
    // All that the first block waits for is asked for at once.
    let slots = batch.slots[sequence];
    let first_row = sequence * batch.tokens;
    var steps = min(STEPS, batch.tokens);
    var brought: array<Brought, BROUGHT>;
    fetch_steps(first_row, steps, head, local, &brought);
    let row_quads = params.columns / 4u;
    let at = QUADS * head + local % QUADS;
    let own = Vectors(
        vectors[at],
        vectors[row_quads + at],
        vectors[2u * row_quads + at],
        vectors[3u * row_quads + at],
        vectors[4u * row_quads + at],
    );
    let first_channel = HEAD_SIZE * head + local / LANES * ROWS;
    var s: array<vec4<f32>, ROWS * OWN_QUADS>;
    for (var i = 0u; i < ROWS * OWN_QUADS; i++) {
        let channel = first_channel + i / OWN_QUADS;
        s[i] = state[(slots.x * params.columns + channel) * QUADS + local % LANES + i % OWN_QUADS * LANES];
    }
    if local < QUADS {
        norm_weight_of[local] = vectors[5u * row_quads + at];
        norm_bias_of[local] = vectors[6u * row_quads + at];
        gate_of[local] = gate_at(at);
    }
    for (var t = 0u; t < batch.tokens; t += STEPS) {
        make_steps(steps, local, own, &brought);
        workgroupBarrier();
        sum_steps(steps, local);
        workgroupBarrier();
        let steps_after = min(STEPS, batch.tokens - min(t + STEPS, batch.tokens));
        fetch_steps(first_row + t + STEPS, steps_after, head, local, &brought);
        walk_steps(steps, local, &s);
        workgroupBarrier();
        write_steps(first_row + t, steps, head, local);
        workgroupBarrier();
        steps = steps_after;
    }
    for (var i = 0u; i < ROWS * OWN_QUADS; i++) {
        let channel = first_channel + i / OWN_QUADS;
        state[(slots.y * params.columns + channel) * QUADS + local % LANES + i % OWN_QUADS * LANES] = s[i];
    }
}
