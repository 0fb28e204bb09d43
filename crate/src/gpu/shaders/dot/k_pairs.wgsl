// Scales and minimums of Q4_K and Q5_K. A block starts with 16 bytes: d, dmin (f16), then 6-bit scales and minimums of its
// eight sub-blocks, packed as ggml packs them.

struct PairScales {
    scale: vec2<f32>,
    minimum: vec2<f32>,
}

// d * scale and dmin * minimum of sub-blocks 2 pair and 2 pair + 1.
fn pair_scales(header: vec4<u32>, pair: u32) -> PairScales {
    let shift = vec2(0u, 8u) + 16u * (pair % 2u);
    let low = vec2(header.y) >> shift;
    let middle = vec2(header.z) >> shift;
    let high = vec2(header.w) >> shift;
    let first_half = pair < 2u;
    let scale = select((high & vec2(15u)) | ((low >> vec2(2u)) & vec2(48u)), low & vec2(63u), first_half);
    let minimum =
        select(((high >> vec2(4u)) & vec2(15u)) | ((middle >> vec2(2u)) & vec2(48u)), middle & vec2(63u), first_half);
    let d = half_to_f32(header.x & 0xffffu);
    let dmin = half_to_f32(header.x >> 16u);
    return PairScales(d * vec2<f32>(scale), dmin * vec2<f32>(minimum));
}
