// Rows of weights without quants for a tile of matmul.wgsl, vector by vector: neighbouring invocations read neighbouring vectors.

const W_EACH: u32 = (TILE_ROWS * TILE_VECTORS + WORKGROUP - 1u) / WORKGROUP;

alias FetchedWeights = array<vec4<f32>, W_EACH>;

fn fetch_weights(first_row: u32, first_unit: u32, local: u32) -> FetchedWeights {
    var fetched: FetchedWeights;
    for (var i = 0u; i < W_EACH; i++) {
        let at = local + i * WORKGROUP;
        // Past the last row the last one is read again: its products are not written. Past the last unit x is zero.
        let row = min(first_row + at / TILE_VECTORS, params.rows - 1u);
        let unit = min(first_unit + at % TILE_VECTORS / 8u, UNITS - 1u);
        fetched[i] = unit_vector(row * ROW_VECTORS, unit, at % 8u);
    }
    return fetched;
}

fn store_weights(fetched: ptr<function, FetchedWeights>, local: u32) {
    for (var i = 0u; i < W_EACH; i++) {
        let at = local + i * WORKGROUP;
        if at < TILE_ROWS * TILE_VECTORS {
            tile[at / TILE_VECTORS][at % TILE_VECTORS] = (*fetched)[i];
        }
    }
}
