// A product of one token in decode that gates another vector: out = y * (W x), laid out as its reader wants it.
// W: (rows, COLUMNS) in units, a shard; acts: x; y: as long as W has rows; out_acts: one row, as write_run lays it out.
// Grid: (ceil(rows / 16), 1, 1); a workgroup owns a run of 16 rows. Twin: cpu::kernels::matmul, then multiply.

struct Params { // twin: params::GateProject
    rows: u32,
    first_row: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_acts: array<u32>;

var<workgroup> finished: array<f32, RUN_LEN>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let own = local / LANES * ROWS + lane;
    let row = RUN_LEN * group.x + own;
    let owns = lane < ROWS && row < params.rows;
    // What the end needs is asked for now, so that it has arrived by then.
    var gated = 0.0;
    if owns {
        gated = y[params.first_row + row];
    }
    let product = own_product(row_products(RUN_LEN * group.x + local / LANES * ROWS, params.rows, 0u, local), lane);
    if lane < ROWS {
        finished[own] = select(0.0, gated * product, owns);
    }
    workgroupBarrier();
    if local == 0u {
        var values = finished;
        write_run(0u, params.first_row / RUN_LEN + group.x, &values);
    }
}
