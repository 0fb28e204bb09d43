// Quants of 0 to 63, which a minimum puts around zero.

const HAS_MINIMUM: bool = true;

// The four quants of a word, lowest byte first.
fn unpack(word: u32) -> vec4<f32> {
    return vec4(f32(word & 255u), f32((word >> 8u) & 255u), f32((word >> 16u) & 255u), f32(word >> 24u));
}
