// RWKV-7's recurrence, over the rows of all sequences; wkv7_norm.wgsl follows it:
//     w = exp(-0.606531 sigmoid(w + w0));  a = sigmoid(a + a0);  kk = k k_k / max(|k k_k|, 1e-12);  k = k (1 + (a - 1) k_a)
//     S_ij = S_ij w_j + v_i k_j - (sum_m S_im kk_m) kk_j a_j;  y_i = sum_j S_ij r_j
// r, w, k, v, a, y: (rows, columns), heads of HEAD_SIZE columns; vectors: (7, columns): w0, a0, k_k, k_a, and those of wkv7_norm.wgsl;
// state: (slots, columns, HEAD_SIZE), a row a value.
// Grid: (heads times parts of one, sequences, 1): a workgroup has PART rows of a head, which do not need the others; see
// shared/wkv7.wgsl. Twin: cpu::kernels::wkv7.

struct Params { // twin: params::Wkv7
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> r: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> y: array<f32>;

fn r_at(quad: u32) -> vec4<f32> {
    return r[quad];
}

fn w_at(quad: u32) -> vec4<f32> {
    return w[quad];
}

fn k_at(quad: u32) -> vec4<f32> {
    return k[quad];
}

fn a_at(quad: u32) -> vec4<f32> {
    return a[quad];
}

// What each lane has of y, which is summed once the whole block has been walked: no step waits for it.
var<workgroup> y_parts: array<array<array<f32, LANES>, PART>, STEPS>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    const PARTS: u32 = HEAD_SIZE / PART;
    let head = group.x / PARTS;
    let lane = local % LANES;
    let first_here = group.x % PARTS * PART;
    let first = first_here + local / LANES * ROWS;
    let slots = batch.slots[group.y];
    let first_row = group.y * batch.tokens;
    var steps = min(STEPS, batch.tokens);
    // All that the first block waits for is asked for at once.
    var block: Block;
    fetch_steps(first_row, steps, head, local, &block);
    let own = own_vectors(head, local);
    var s: Rows;
    for (var i = 0u; i < ROWS * OWN_QUADS; i++) {
        s[i] = state[state_at(slots.x, head, first, lane, i)];
    }
    for (var t = 0u; t < batch.tokens; t += STEPS) {
        make_steps(steps, local, own, &block);
        let steps_after = min(STEPS, batch.tokens - min(t + STEPS, batch.tokens));
        fetch_steps(first_row + t + STEPS, steps_after, head, local, &block);
        for (var step = 0u; step < steps; step++) {
            let parts = walk_step(step, first, lane, &s);
            for (var row = 0u; row < ROWS; row++) {
                y_parts[step][first - first_here + row][lane] = parts[row];
            }
        }
        workgroupBarrier();
        for (var i = local; i < steps * PART; i += WORKGROUP) {
            var sum = 0.0;
            for (var other = 0u; other < LANES; other++) {
                sum += y_parts[i / PART][i % PART][other];
            }
            y[(first_row + t + i / PART) * params.columns + HEAD_SIZE * head + first_here + i % PART] = sum;
        }
        steps = steps_after;
    }
    for (var i = 0u; i < ROWS * OWN_QUADS; i++) {
        state[state_at(slots.y, head, first, lane, i)] = s[i];
    }
}
