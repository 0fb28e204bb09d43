// The fifth bits of Q5_0 and Q5_1: bit j of a word is the top bit of value j.

// Bits 0 to 15, each as 0 or 16 in a byte of its own. A product of four bits and 2^4 + 2^11 + 2^18 + 2^25 has bit j at
// 4 + j, 11 + j, 18 + j and 25 + j, all different, so that nothing carries; bit j at 4 + 8 j is kept.
fn spread(bits: u32) -> vec4<u32> {
    return (((vec4(bits) >> vec4(0u, 4u, 8u, 12u)) & vec4(15u)) * 0x02040810u) & vec4(0x10101010u);
}

// A unit's quants of 5 bits.
fn with_fifth_bits(low: array<vec4<u32>, 2>, bits: u32) -> array<vec4<u32>, 2> {
    return array(low[0] | spread(bits), low[1] | spread(bits >> 16u));
}
