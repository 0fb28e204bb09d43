// Mixtures of each token with the one before it: out_i[t] = x[t] + (x[t - 1] - x[t]) * mu_i, where x before the first token of a
// sequence is the state's.
// x: (rows, width); mu: (mixtures, width); state: (slots, width); out_acts: (MIXTURES, plane_rows), as write_run lays it out.
// Grid: (ceil(width / COLUMNS_HERE), rows, 1). A step whose mixtures are not planes of one buffer is as many dispatches of one, of
// which the last moves the state. A sequence of several rows must not write the slot that it reads. Twin: cpu::kernels::token_shift.

struct Params { // twin: params::TokenShift
    width: u32,
    mixture: u32, // the first
    plane_rows: u32,
    moves: u32, // 1: the last token's x becomes the state
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> batch: Batch;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> mu: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_acts: array<u32>;

// Columns of an invocation, WORKGROUP apart.
const OWN_COLUMNS: u32 = COLUMNS_HERE / WORKGROUP;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y;
    let first = group.x * COLUMNS_HERE;
    let slots = batch.slots[row / batch.tokens];
    let t = row % batch.tokens;
    // x of the token, and how far the one before is from it.
    var values: array<vec2<f32>, OWN_COLUMNS>;
    for (var i = 0u; i < OWN_COLUMNS; i++) {
        let column = first + local + i * WORKGROUP;
        if column < params.width {
            let now = x[row * params.width + column];
            var before = 0.0;
            if t > 0u {
                before = x[(row - 1u) * params.width + column];
            } else {
                before = state[slots.x * params.width + column];
            }
            values[i] = vec2(now, before - now);
            if params.moves == 1u && t + 1u == batch.tokens {
                state[slots.y * params.width + column] = now;
            }
        }
    }
    for (var mixture = 0u; mixture < MIXTURES; mixture++) {
        let out_row = mixture * params.plane_rows + row;
        for (var i = 0u; i < OWN_COLUMNS; i++) {
            let here = local + i * WORKGROUP;
            let column = min(first + here, params.width - 1u);
            let factor = mu[(params.mixture + mixture) * params.width + column];
            put_column(out_row, first, here, values[i].x + values[i].y * factor);
        }
        write_columns(out_row, first, local);
    }
}
