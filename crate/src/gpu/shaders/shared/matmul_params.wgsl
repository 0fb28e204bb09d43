struct Params { // twin: params::MatMul
    rows: u32,
    first_row: u32,
    out_stride: u32,
    accumulate: u32,
    to_outputs: u32, // 1: x has a row a wanted token, 0: a row a token
}
