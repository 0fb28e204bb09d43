// One mixture of each token with the one before it: out[t] = x[t] + (x[t - 1] - x[t]) * mu[mixture], where x before the first
// token of a sequence is the state's.
// x: (rows, width); mu: (mixtures, width); state: (slots, width); out_acts: (rows), as write_run lays it out.
// Grid: (ceil(runs / 64), rows, 1); an invocation owns a run of a row. A step of several mixtures is as many dispatches, of which
// the last moves the state. A sequence of several rows must not write the slot that it reads. Twin: cpu::kernels::token_shift.

struct Params { // twin: params::TokenShift
    width: u32,
    mixture: u32,
    moves: u32, // 1: the last token's x becomes the state
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> mu: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_acts: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let run = id.x;
    let row = id.y;
    if RUN_LEN * run >= params.width {
        return;
    }
    let slots = batch.slots[row / batch.tokens];
    let t = row % batch.tokens;
    var values: array<f32, RUN_LEN>;
    for (var i = 0u; i < min(RUN_LEN, params.width - RUN_LEN * run); i++) {
        let column = RUN_LEN * run + i;
        let now = x[row * params.width + column];
        var before = 0.0;
        if t > 0u {
            before = x[(row - 1u) * params.width + column];
        } else {
            before = state[slots.x * params.width + column];
        }
        values[i] = now + (before - now) * mu[params.mixture * params.width + column];
        if params.moves == 1u && t + 1u == batch.tokens {
            state[slots.y * params.width + column] = now;
        }
    }
    write_run(row, run, &values);
}
