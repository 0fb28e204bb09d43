// Token embedding: out[t] = table[tokens[t]], for the rows of the table that this shard holds.
// table: (rows, width) blocks; tokens: (T); out: (T, width).
// Grid: (ceil(width / 256), T, 1); an invocation decodes 4 columns of one token. Twin: cpu::kernels::embed.

struct Params { // twin: params::Embed
    width: u32,
    first_row: u32,
    rows: u32,
    row_words: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> tokens: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = 4u * id.x;
    let row = tokens[id.y] - params.first_row;
    // A token below the shard wraps around to a number above every row count.
    if column >= params.width || row >= params.rows {
        return;
    }
    let block = row * params.row_words + column / BLOCK_LEN * BLOCK_WORDS;
    let values = decode4(block, column % BLOCK_LEN);
    for (var i = 0u; i < min(4u, params.width - column); i++) {
        out[id.y * params.width + column + i] = values[i];
    }
}
