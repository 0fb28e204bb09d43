// F16: values of two words.

fn four_values(a: u32, b: u32) -> vec4<f32> {
    return vec4(half_to_f32(a & 0xffffu), half_to_f32(a >> 16u), half_to_f32(b & 0xffffu), half_to_f32(b >> 16u));
}
