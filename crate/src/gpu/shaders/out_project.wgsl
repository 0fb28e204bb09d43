// The end of a layer in decode: W_out, the residual, and the next norm but for its scale, whose sum of squares only all
// workgroups together know.
//     x = x + W_out y;  h = x * norm_weight;  the squares of x are summed run by run
// W: (rows, COLUMNS) in units, a shard of (d_model, d_inner); acts: y; norm_weight: (d_model); x: (d_model); out_acts: h.
// Grid: (ceil(rows / 16), 1, 1); a workgroup owns a run of 16 rows. Twin: cpu::kernels::matmul, then rms_norm.

struct Params { // twin: params::OutProject
    rows: u32,
    first_row: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> norm_weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<f32>;
@group(0) @binding(6) var<storage, read_write> out_acts: array<u32>;

var<workgroup> finished: array<f32, RUN_LEN>;
var<workgroup> squares: array<f32, RUN_LEN>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let first = RUN_LEN * group.x + local / LANES * ROWS;
    let row = params.first_row + first + lane;
    let owns = lane < ROWS && first + lane < params.rows;
    // What the end needs is asked for now, so that it has arrived by then.
    var residual = 0.0;
    var factor = 0.0;
    if owns {
        residual = x[row];
        factor = norm_weight[row];
    }
    let sum = residual + own_product(row_products(first, params.rows, 0u, local), lane);
    if owns {
        x[row] = sum;
    }
    if lane < ROWS {
        let value = select(0.0, sum, owns);
        finished[local / LANES * ROWS + lane] = value * factor;
        squares[local / LANES * ROWS + lane] = value * value;
    }
    workgroupBarrier();
    if local == 0u {
        let run = params.first_row / RUN_LEN + group.x;
        var values = finished;
        write_run(0u, run, &values);
        var total = 0.0;
        for (var i = 0u; i < RUN_LEN; i++) {
            total += squares[i];
        }
        write_partial(run, total);
    }
}
