// Units of Q2_K to Q5_K. A block is four pairs of 32 and 32 columns; a unit is 16 columns of each side of a pair, in blocks of
// 8 units: (pair 0, first 16), (pair 0, last 16), (pair 1, first 16), ... A file's bytes have both sides in their own bits.

// The first columns of runs A and B.
fn unit_columns(unit: u32) -> vec2<u32> {
    let first = 64u * (unit / 2u) + 16u * (unit % 2u);
    return vec2(first, first + 32u);
}
