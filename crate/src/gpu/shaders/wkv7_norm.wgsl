// What follows RWKV-7's recurrence, head by head and row by row, in place:
//     y_i = (y_i - mean(y)) / sqrt(var(y) + eps) * weight_i + bias_i + v_i (sum_j r_j k_j (1 + (a_j - 1) k_a_j) r_k_j)
// r, k, v, a, y: (rows, columns), heads of HEAD_SIZE columns; vectors: (7, columns): w0, a0, k_k, k_a, r_k, weight, bias.
// Grid: (ceil(heads / HEADS), rows, 1); QUADS invocations have a head. Twin: cpu::kernels::wkv7.

struct Params { // twin: params::Wkv7Norm
    columns: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> r: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> y: array<vec4<f32>>;

const QUADS: u32 = HEAD_SIZE / 4u;
const HEADS: u32 = WORKGROUP / QUADS;

// Of each quad: the sums of y and of the bonus, then of squares.
var<workgroup> parts: array<vec2<f32>, WORKGROUP>;
var<workgroup> squares: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row_quads = params.columns / 4u;
    let column = group.x * HEADS * QUADS + local;
    let is_here = local < HEADS * QUADS && column < row_quads;
    let at = group.y * row_quads + min(column, row_quads - 1u);
    let of_head = min(column, row_quads - 1u);
    let value = y[at];
    let rate = sigmoid4(a[at] + vectors[row_quads + of_head]);
    let key = k[at] * (1.0 + (rate - 1.0) * vectors[3u * row_quads + of_head]);
    parts[local] = vec2(dot(value, vec4(1.0)), dot(r[at] * key, vectors[4u * row_quads + of_head]));
    workgroupBarrier();
    let first = min(local / QUADS * QUADS, WORKGROUP - QUADS);
    var sums = vec2(0.0);
    for (var quad = 0u; quad < QUADS; quad++) {
        sums += parts[first + quad];
    }
    let centred = value - sums.x / f32(HEAD_SIZE);
    squares[local] = dot(centred, centred);
    workgroupBarrier();
    var square = 0.0;
    for (var quad = 0u; quad < QUADS; quad++) {
        square += squares[first + quad];
    }
    let scale = 1.0 / sqrt(square / f32(HEAD_SIZE) + params.eps);
    if is_here {
        y[at] = centred * scale * vectors[5u * row_quads + of_head] + vectors[6u * row_quads + of_head] + v[at] * sums.y;
    }
}
