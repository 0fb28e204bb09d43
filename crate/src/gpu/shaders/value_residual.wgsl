// RWKV-7's value residual: out = x + (first - x) * sigmoid(mix + bias), value by value.
// x, first, mix: (rows, width); bias: (width); out_acts: (rows), as write_run lays it out.
// Grid: (ceil(runs / 64), rows, 1); an invocation owns a run of a row. Twin: cpu::kernels::value_residual.

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
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let run = id.x;
    if RUN_LEN * run >= params.width {
        return;
    }
    let start = id.y * params.width + RUN_LEN * run;
    var values: array<f32, RUN_LEN>;
    for (var i = 0u; i < min(RUN_LEN, params.width - RUN_LEN * run); i++) {
        let value = x[start + i];
        values[i] = value + (first[start + i] - value) * sigmoid(mix[start + i] + bias[RUN_LEN * run + i]);
    }
    write_run(id.y, run, &values);
}
