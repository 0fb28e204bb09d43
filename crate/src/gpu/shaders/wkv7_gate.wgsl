// RWKV-7's recurrence for one token in decode, and its gate: as wkv7.wgsl, and
//     out_i = g_i (...)
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

fn gate_at(quad: u32) -> vec4<f32> {
    return late[params.g + quad];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    walk(group.x, group.y, local);
}
