// A function of each value: out = apply(x). With the function that changes nothing, it only lays values out anew.
// x: (rows, width); out_acts: (rows), as write_run lays it out.
// Grid: (ceil(runs / 64), rows, 1); an invocation owns a run of a row. Twin: cpu::kernels::elementwise.

struct Params { // twin: params::Elementwise
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> out_acts: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let run = id.x;
    if RUN_LEN * run >= params.width {
        return;
    }
    let first = id.y * params.width + RUN_LEN * run;
    var values: array<f32, RUN_LEN>;
    for (var i = 0u; i < min(RUN_LEN, params.width - RUN_LEN * run); i++) {
        values[i] = apply(x[first + i]);
    }
    write_run(id.y, run, &values);
}
