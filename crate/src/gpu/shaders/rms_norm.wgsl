// RMS norm: out = x / sqrt(mean(x^2) + eps) * weight, over columns of each row.
// x, out: views of (rows, stride) arrays; weight: (width), read only where weighted.
// Grid: (1, rows, 1); a workgroup of WORKGROUP invocations owns a row. Twin: cpu::kernels::rms_norm.

struct Params { // twin: params::RmsNorm
    width: u32,
    x_stride: u32,
    x_start: u32,
    out_stride: u32,
    out_start: u32,
    weighted: u32,
    to_outputs: u32, // 1: the rows are those of the wanted tokens, the chunk's last
    eps: f32,
}

struct Batch { // twin: params::Batch
    tokens: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first_row = select(0u, batch.tokens - batch.outputs, params.to_outputs == 1u);
    let x_row = (first_row + group.y) * params.x_stride + params.x_start;
    let out_row = group.y * params.out_stride + params.out_start;

    var sum = 0.0;
    for (var i = local; i < params.width; i += WORKGROUP) {
        sum += x[x_row + i] * x[x_row + i];
    }
    partial[local] = sum;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            partial[local] += partial[local + half];
        }
    }
    workgroupBarrier();

    let scale = 1.0 / sqrt(partial[0] / f32(params.width) + params.eps);
    for (var i = local; i < params.width; i += WORKGROUP) {
        var value = x[x_row + i] * scale;
        if params.weighted == 1u {
            value *= weight[i];
        }
        out[out_row + i] = value;
    }
}
