// Independent products of one token in decode, each with its own weights, their type, input and function, in one dispatch: what would
// wait for a launch of its own, or leave the GPU idle for its few rows, runs beside the others.
//     out_s = finish_s(W_s x_s) for each segment s;  finish: see finish() below
// weights: all matrices, each (rows, columns) in units; acts: every x; v, first, bias: of the segment that is a value residual, as long
// as it has rows; out: every out, as f32.
// Grid: (workgroups of all segments, 1, 1). A workgroup takes rows of one segment: all branches on it are uniform.
// Twin: cpu::kernels::matmul, then elementwise, then value_residual.

struct Segment { // twin: params::Segment
    first_group: u32, // workgroups before it
    rows: u32,
    weights: u32, // first vector
    acts: u32, // first vector
    out: u32, // first float
    kind: u32, // which of the parts composed in has its weights' type and columns
    finish: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: array<Segment, MAX_SEGMENTS>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> first: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

// What becomes of a product.
fn finish(code: u32, product: f32, row: u32) -> f32 {
    if code == FINISH_VALUE_RESIDUAL {
        return v[row] + (first[row] - v[row]) * sigmoid(product + bias[row]);
    }
    return apply_function(code, product);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var own = 0u;
    for (var i = 1u; i < MAX_SEGMENTS; i++) {
        if group.x >= params[i].first_group {
            own = i;
        }
    }
    let segment = params[own];
    var row = 0u;
    let product = product_of_kind(segment, group.x - segment.first_group, local, &row);
    if row < segment.rows {
        out[segment.out + row] = finish(segment.finish, product, row);
    }
}
