// Rows written column by column: neighbouring invocations have neighbouring columns, which are read together, and a run is written
// by one of them, from workgroup memory. COLUMNS_HERE columns of a row at a time.

const RUNS_HERE: u32 = 64u;
const COLUMNS_HERE: u32 = RUNS_HERE * RUN_LEN;
// A float more, so that invocations that read neighbouring runs do not wait for one bank of memory.
const RUN_STRIDE: u32 = RUN_LEN + 1u;

var<workgroup> columns_here: array<f32, RUNS_HERE * RUN_STRIDE>;

// The value of column `first + here`; zero past the last column.
fn put_column(row: u32, first: u32, here: u32, value: f32) {
    columns_here[here / RUN_LEN * RUN_STRIDE + here % RUN_LEN] = value;
}

// Writes what was put; all invocations of the workgroup take part.
fn write_columns(row: u32, first: u32, local: u32) {
    workgroupBarrier();
    for (var i = local; i < RUNS_HERE; i += WORKGROUP) {
        let run = first / RUN_LEN + i;
        if run < OUT_RUNS {
            var values: array<f32, RUN_LEN>;
            for (var j = 0u; j < RUN_LEN; j++) {
                values[j] = columns_here[i * RUN_STRIDE + j];
            }
            write_run(row, run, &values);
        }
    }
    workgroupBarrier();
}
