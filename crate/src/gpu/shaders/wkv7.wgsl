// RWKV-7's recurrence, head by head, over the rows of all sequences:
//     w = exp(-0.606531 sigmoid(w + w0));  a = sigmoid(a + a0);  kk = k k_k / max(|k k_k|, 1e-12);  k = k (1 + (a - 1) k_a)
//     S_ij = S_ij w_j + v_i k_j - (sum_m S_im kk_m) kk_j a_j;  y_i = sum_j S_ij r_j
//     out_i = (y_i - mean(y)) / sqrt(var(y) + eps) * weight_i + bias_i + v_i (sum_j r_j k_j r_k_j)
// r, w, k, v, a: (rows, columns), heads of HEAD_SIZE columns; vectors: (7, columns): w0, a0, k_k, k_a, r_k, weight, bias; state:
// (slots, columns, HEAD_SIZE), a row a value; out_acts: (rows), as write_run lays it out.
// Grid: (heads, sequences, 1); see shared/wkv7.wgsl. Twin: cpu::kernels::wkv7.

struct Params { // twin: params::Wkv7
    columns: u32,
    eps: f32,
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
@group(0) @binding(9) var<storage, read_write> out_acts: array<u32>;

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

// Times nothing.
fn gate_at(quad: u32) -> vec4<f32> {
    return vec4(1.0);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    walk(group.x, group.y, local);
}
