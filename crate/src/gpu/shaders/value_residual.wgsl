// RWKV-7's value residual: out = x + (first - x) * sigmoid(mix + bias), value by value.
// x, first, mix: (rows, width); bias: (width); out_acts: (rows), as write_run lays it out.
// Grid: (ceil(width / COLUMNS_HERE), rows, 1). Twin: cpu::kernels::value_residual.

struct Params { // twin: params::ValueResidual
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> first: array<f32>;
@group(0) @binding(4) var<storage, read> mix: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> out_acts: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first_column = group.x * COLUMNS_HERE;
    for (var here = local; here < COLUMNS_HERE; here += WORKGROUP) {
        let column = min(first_column + here, params.width - 1u);
        let at = group.y * params.width + column;
        let mixed = x[at] + (first[at] - x[at]) * sigmoid(mix[at] + bias[column]);
        put_column(group.y, first_column, here, select(0.0, mixed, first_column + here < params.width));
    }
    write_columns(group.y, first_column, local);
}
