// Token embedding: out[t] = table[tokens[t]], for the rows of the table that this shard holds.
// table: (rows, width) in planes; tokens: (T); out: (T, width).
// Grid: (ceil(units / 64), T, 1); an invocation decodes a unit of 32 columns of one token. Twin: cpu::kernels::embed.

struct Params { // twin: params::Embed
    width: u32,
    first_row: u32,
    rows: u32,
    row_vectors: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> tokens: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn write_four(token: u32, column: u32, values: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if column + i < params.width {
            out[token * params.width + column + i] = values[i];
        }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = tokens[id.y] - params.first_row;
    // A token below the shard wraps around to a number above every row count.
    if unit * UNIT_LEN >= params.width || row >= params.rows {
        return;
    }
    let values = unit_values(row * params.row_vectors, params.width / BLOCK_LEN, unit);
    let columns = unit_columns(unit);
    for (var i = 0u; i < 4u; i++) {
        write_four(id.y, columns.x + 4u * i, values[i]);
        write_four(id.y, columns.y + 4u * i, values[4u + i]);
    }
}
