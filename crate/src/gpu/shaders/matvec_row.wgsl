// Matrix-vector product of one shard, for adapters that are software: out[first_row + r] = W[r] . x[t], or += where
// accumulating. A barrier is a switch of threads there and neighbouring reads gain nothing, so an invocation owns a row.
// W: (rows, columns) blocks; x: a view of (T, x_stride); out: (T, out_stride).
// Grid: (ceil(rows / 64), T, 1). Twin: cpu::kernels::matmul.

struct Params { // twin: params::MatMul
    rows: u32,
    columns: u32,
    row_words: u32,
    first_row: u32,
    x_stride: u32,
    x_start: u32,
    out_stride: u32,
    accumulate: u32,
    to_outputs: u32, // not read here: the grid says how many rows x has
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= params.rows {
        return;
    }
    var at = id.y * params.x_stride + params.x_start;
    var block = row * params.row_words;
    var sums = vec4(0.0);
    for (var n = params.columns / BLOCK_LEN; n > 0u; n--) {
        for (var i = 0u; i < BLOCK_LEN; i += 4u) {
            sums += decode4(block, i) * vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]);
            at += 4u;
        }
        block += BLOCK_WORDS;
    }
    var sum = sums.x + sums.y + sums.z + sums.w;
    // Only the types without blocks have a rest. Its weights are padded with zeros, but x past it is not ours.
    let rest = params.columns % BLOCK_LEN;
    if rest > 0u {
        let w = decode4(block, 0u);
        for (var i = 0u; i < rest; i++) {
            sum += w[i] * x[at + i];
        }
    }
    let to = id.y * params.out_stride + params.first_row + row;
    out[to] = select(0.0, out[to], params.accumulate == 1u) + sum;
}
