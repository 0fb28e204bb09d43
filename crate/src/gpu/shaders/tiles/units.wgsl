// Rows of quantised weights for a tile of matmul.wgsl, unit by unit: a unit's scales are decoded once.

const W_EACH: u32 = (TILE_ROWS * UNITS_AT_ONCE + WORKGROUP - 1u) / WORKGROUP;

alias FetchedWeights = array<array<vec4<f32>, 8>, W_EACH>;

fn fetch_weights(first_row: u32, first_unit: u32, local: u32) -> FetchedWeights {
    var fetched: FetchedWeights;
    for (var i = 0u; i < W_EACH; i++) {
        let at = local + i * WORKGROUP;
        // Past the last row the last one is read again: its products are not written. Past the last unit x is zero.
        let row = min(first_row + at / UNITS_AT_ONCE, params.rows - 1u);
        let unit = min(first_unit + at % UNITS_AT_ONCE, UNITS - 1u);
        if at < TILE_ROWS * UNITS_AT_ONCE {
            fetched[i] = unit_values(row * ROW_VECTORS, BLOCKS, unit);
        }
    }
    return fetched;
}

fn store_weights(fetched: ptr<function, FetchedWeights>, local: u32) {
    for (var i = 0u; i < W_EACH; i++) {
        let at = local + i * WORKGROUP;
        if at < TILE_ROWS * UNITS_AT_ONCE {
            for (var k = 0u; k < 8u; k++) {
                tile[at / UNITS_AT_ONCE][8u * (at % UNITS_AT_ONCE) + k] = (*fetched)[i][k];
            }
        }
    }
}
