// Splits the rows of W_x xi: dt, B, C = split(dbc), each divided by its root mean square where the model says so.
// dbc: (rows, dt_rank + 2 D_STATE); bc: (rows, 2 D_STATE); out_acts: dt, as activations.
// Grid: (1, rows, 1). Twin: cpu::kernels::split_dt_b_c.

struct Params { // twin: params::SplitDtBC
    dt_rank: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> dbc: array<f32>;
@group(0) @binding(3) var<storage, read_write> bc: array<f32>;
@group(0) @binding(4) var<storage, read_write> out_acts: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y * (params.dt_rank + 2u * D_STATE);
    var scale = vec4(1.0);
    if NORM_DT_B_C {
        var squares = vec4(0.0);
        for (var i = local; i < params.dt_rank; i += WORKGROUP) {
            squares.x += dbc[row + i] * dbc[row + i];
        }
        for (var n = local; n < D_STATE; n += WORKGROUP) {
            let b = dbc[row + params.dt_rank + n];
            let c = dbc[row + params.dt_rank + D_STATE + n];
            squares.y += b * b;
            squares.z += c * c;
        }
        let widths = vec4(f32(params.dt_rank), f32(D_STATE), f32(D_STATE), 1.0);
        scale = 1.0 / sqrt(workgroup_sum(squares, local) / widths + params.eps);
    }
    for (var run = local; RUN_LEN * run < params.dt_rank; run += WORKGROUP) {
        var values: array<f32, RUN_LEN>;
        for (var i = 0u; i < min(RUN_LEN, params.dt_rank - RUN_LEN * run); i++) {
            values[i] = scale.x * dbc[row + RUN_LEN * run + i];
        }
        write_run(group.y, run, &values);
    }
    let to = 2u * D_STATE * group.y;
    for (var n = local; n < D_STATE; n += WORKGROUP) {
        bc[to + n] = scale.y * dbc[row + params.dt_rank + n];
        bc[to + D_STATE + n] = scale.z * dbc[row + params.dt_rank + D_STATE + n];
    }
}
