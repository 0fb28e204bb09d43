// BF16: values of two words, each the top 16 bits of its f32.
//
// A BF16 subnormal is an f32 subnormal (below 1.2e-38), which a GPU may flush to zero in whatever uses it.

fn four_values(a: u32, b: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}
