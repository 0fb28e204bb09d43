// Units of 32 neighbouring columns: where a type has no blocks, and where its bytes of nibbles have run A in the low ones and
// run B, the next 16 columns, in the high ones.

// The first columns of runs A and B.
fn unit_columns(unit: u32) -> vec2<u32> {
    return vec2(32u * unit, 32u * unit + 16u);
}
