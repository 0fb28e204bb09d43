// A product of one token in decode and a function of each value: out = apply(W x), laid out as its reader wants it.
// W: (rows, COLUMNS) in units, a shard; acts: x; out_acts: one row, as write_run lays it out.
// Grid: (ceil(rows / 16), 1, 1); a workgroup owns a run of 16 rows. Twin: cpu::kernels::matmul, then elementwise.

struct Params { // twin: params::FunctionProject
    rows: u32,
    first_row: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> out_acts: array<u32>;

var<workgroup> finished: array<f32, RUN_LEN>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let own = local / LANES * ROWS + lane;
    let product = own_product(row_products(RUN_LEN * group.x + local / LANES * ROWS, params.rows, 0u, local), lane);
    if lane < ROWS {
        finished[own] = select(0.0, apply(product), RUN_LEN * group.x + own < params.rows);
    }
    workgroupBarrier();
    if local == 0u {
        var values = finished;
        write_run(0u, params.first_row / RUN_LEN + group.x, &values);
    }
}
