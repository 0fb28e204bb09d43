// Quants of -128 to 127, without a minimum: `minimum` of a unit is zero, and sums of x need not be made for it.

const HAS_MINIMUM: bool = false;

// The four quants of a word, lowest byte first: each to the top of a word, then an arithmetic shift back, for the sign.
fn unpack(word: u32) -> vec4<f32> {
    let w = bitcast<i32>(word);
    return vec4(f32((w << 24u) >> 24u), f32((w << 16u) >> 24u), f32((w << 8u) >> 24u), f32(w >> 24u));
}
