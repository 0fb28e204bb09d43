// As acts/columns.wgsl, where rows are plain f32: each value is written where it is put.

const COLUMNS_HERE: u32 = 64u * RUN_LEN;

fn put_column(row: u32, first: u32, here: u32, value: f32) {
    if first + here < OUT_COLUMNS {
        out_acts[row * OUT_COLUMNS + first + here] = bitcast<u32>(value);
    }
}

fn write_columns(row: u32, first: u32, local: u32) {}
