// half_to_f32(bits): the f32 of the f16 in the low 16 bits of `bits`; higher bits must be zero.
//
//     (-1)^s * 2^(e - 15) * (1 + m / 1024)    for e > 0: the same bits with the exponent rebiased
//     (-1)^s * m * 2^-24                      for e = 0: exact, and never an f32 subnormal
//
// unpack2x16float is deliberately absent: it may flush f16 subnormals to zero, and the scales of small weights are
// subnormal. Multiplying shifted bits by 2^112 is absent for the same reason: it starts from an f32 subnormal.

fn half_to_f32(bits: u32) -> f32 {
    let sign = (bits & 0x8000u) << 16u;
    let magnitude = bits & 0x7fffu;
    // The rebias is 127 - 15 = 112; the all-ones exponent of infinity and NaN takes it twice to stay all ones.
    let normal = (magnitude << 13u) + select(0x38000000u, 0x70000000u, magnitude >= 0x7c00u);
    let subnormal = bitcast<u32>(f32(magnitude) * 0x1p-24f);
    return bitcast<f32>(sign | select(normal, subnormal, magnitude < 0x0400u));
}
