// The recurrence of wkv7.wgsl and wkv7_gate.wgsl, which bind its operands, say where they are, and take y. A quad is four neighbouring
// columns. LANES invocations share ROWS rows of S, which they keep, and walk through time, STEPS tokens at once: what these need is made
// in workgroup memory together, once for all rows of the workgroup, and while they walk the next tokens' values are on their way.

const QUADS: u32 = HEAD_SIZE / 4u;
const OWN_QUADS: u32 = QUADS / LANES;
// Tokens of which each invocation brings a quad, always the same one of the head, and how many it brings.
const AT_ONCE: u32 = WORKGROUP / QUADS;
const BROUGHT: u32 = (STEPS + AT_ONCE - 1u) / AT_ONCE;

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
}

// A quad of a token as its step reads it.
struct Quad {
    kk: vec4<f32>,
    r: vec4<f32>,
    decay: vec4<f32>,
    k: vec4<f32>,
    kk_a: vec4<f32>,
}

// Of a block of tokens.
var<workgroup> quads: array<array<array<Quad, LANES>, OWN_QUADS>, STEPS>;
var<workgroup> v_of: array<array<vec4<f32>, QUADS>, STEPS>;
var<workgroup> squares: array<array<f32, QUADS>, STEPS>;

alias Block = array<Brought, BROUGHT>;
alias Rows = array<vec4<f32>, ROWS * OWN_QUADS>;

fn own_vectors(head: u32, local: u32) -> Vectors {
    let row_quads = params.columns / 4u;
    let at = QUADS * head + local % QUADS;
    return Vectors(vectors[at], vectors[row_quads + at], vectors[2u * row_quads + at], vectors[3u * row_quads + at]);
}

// Asks for a block of tokens, none where `steps` is 0.
fn fetch_steps(first_row: u32, steps: u32, head: u32, local: u32, block: ptr<function, Block>) {
    for (var n = 0u; n < BROUGHT; n++) {
        let step = local / QUADS + n * AT_ONCE;
        if step < steps {
            let at = (first_row + step) * (params.columns / 4u) + QUADS * head + local % QUADS;
            (*block)[n] = Brought(r_at(at), w_at(at), k_at(at), v[at], a_at(at));
        }
    }
}

// Makes what a block's steps read; ends with a barrier.
fn make_steps(steps: u32, local: u32, own: Vectors, block: ptr<function, Block>) {
    let quad = local % QUADS;
    for (var n = 0u; n < BROUGHT; n++) {
        let step = local / QUADS + n * AT_ONCE;
        if step < steps {
            let kk = (*block)[n].k * own.k_k;
            squares[step][quad] = dot(kk, kk);
        }
    }
    workgroupBarrier();
    for (var n = 0u; n < BROUGHT; n++) {
        let step = local / QUADS + n * AT_ONCE;
        if step < steps {
            let token = (*block)[n];
            var square = 0.0;
            for (var other = 0u; other < QUADS; other++) {
                square += squares[step][other];
            }
            let decay = exp(-0.606531 * sigmoid4(token.w + own.w0));
            let rate = sigmoid4(token.a + own.a0);
            let kk = token.k * own.k_k / max(sqrt(square), 1e-12);
            let k = token.k * (1.0 + (rate - 1.0) * own.k_a);
            quads[step][quad / LANES][quad % LANES] = Quad(kk, token.r, decay, k, kk * rate);
            v_of[step][quad] = token.v;
        }
    }
    workgroupBarrier();
}

// One token: what this lane has of y, of the head's rows from `first` on.
fn walk_step(step: u32, first: u32, lane: u32, s: ptr<function, Rows>) -> array<f32, ROWS> {
    // Zeros by name: on Chromium's software adapter a variable without a value keeps that of the loop's last round.
    var products = array<vec4<f32>, ROWS>();
    for (var i = 0u; i < OWN_QUADS; i++) {
        let kk = quads[step][i][lane].kk;
        for (var row = 0u; row < ROWS; row++) {
            products[row] = fma((*s)[row * OWN_QUADS + i], kk, products[row]);
        }
    }
    var removed = array<f32, ROWS>();
    var value = array<f32, ROWS>();
    for (var row = 0u; row < ROWS; row++) {
        removed[row] = products[row].x + products[row].y + (products[row].z + products[row].w);
        value[row] = v_of[step][(first + row) / 4u][(first + row) % 4u];
    }
    sum_over_lanes(&removed);
    var y = array<vec4<f32>, ROWS>();
    for (var i = 0u; i < OWN_QUADS; i++) {
        let r = quads[step][i][lane].r;
        let decay = quads[step][i][lane].decay;
        let k = quads[step][i][lane].k;
        let kk_a = quads[step][i][lane].kk_a;
        for (var row = 0u; row < ROWS; row++) {
            let kept = fma((*s)[row * OWN_QUADS + i], decay, value[row] * k);
            let after = fma(vec4(-removed[row]), kk_a, kept);
            (*s)[row * OWN_QUADS + i] = after;
            y[row] = fma(after, r, y[row]);
        }
    }
    var parts: array<f32, ROWS>;
    for (var row = 0u; row < ROWS; row++) {
        parts[row] = y[row].x + y[row].y + (y[row].z + y[row].w);
    }
    return parts;
}

// Where a quad of the rows from `first` on, of the head, lies in the states.
fn state_at(slot: u32, head: u32, first: u32, lane: u32, i: u32) -> u32 {
    return (slot * params.columns + HEAD_SIZE * head + first + i / OWN_QUADS) * QUADS + i % OWN_QUADS * LANES + lane;
}
