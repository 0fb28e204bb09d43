// The header of Q4_K and Q5_K: d and dmin, f16, then 12 bytes of 6-bit scales and minimums of 8 groups of 32 values. Byte g of
// word 1 is the scale of group g < 4, of word 2 its minimum, both in the low 6 bits. Byte g of word 3 has the low nibbles of
// the scale (low) and minimum (high) of group g + 4, whose top 2 bits are the top 2 bits of byte g of words 1 and 2.

struct Scales {
    scale: vec2<f32>,
    minimum: vec2<f32>,
}

// d * scale and dmin * min of groups 2 pair and 2 pair + 1, which are the runs of a unit.
fn pair_scales(header: vec4<u32>, pair: u32) -> Scales {
    // Both groups at once, in the lower bytes of a word.
    let words = header.yzw >> vec3(16u * (pair % 2u));
    let upper = pair >= 2u;
    let scale = select(words.x & 0x3f3fu, (words.z & 0x0f0fu) | ((words.x >> 2u) & 0x3030u), upper);
    let minimum = select(words.y & 0x3f3fu, ((words.z >> 4u) & 0x0f0fu) | ((words.y >> 2u) & 0x3030u), upper);
    let d = half_to_f32(header.x & 0xffffu);
    let dmin = half_to_f32(header.x >> 16u);
    return Scales(
        d * vec2(f32(scale & 255u), f32(scale >> 8u)),
        dmin * vec2(f32(minimum & 255u), f32(minimum >> 8u)),
    );
}
