// What Q4_K and Q5_K share. A block has eight sub-blocks of 32 values in four pairs, and starts with 16 bytes: d, dmin (f16),
// then 6-bit scales and minimums of the sub-blocks, packed as ggml packs them. A unit is one vector of quants: its low
// nibbles are 16 values of sub-block 2 pair, its high ones 16 values of sub-block 2 pair + 1.

const UNIT_LEN: u32 = 32u;

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;

struct UnitX {
    low: array<vec4<f32>, 4>,
    high: array<vec4<f32>, 4>,
    sums: vec2<f32>, // of low, of high: what the minimums multiply
}

fn unit_x(unit: u32, x_row: u32) -> UnitX {
    let at = (x_row + unit / 8u * 256u + unit % 8u / 2u * 64u + unit % 2u * 16u) / 4u;
    var v: UnitX;
    var low = vec4(0.0);
    var high = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        v.low[i] = x[at + i];
        v.high[i] = x[at + 8u + i];
        low += v.low[i];
        high += v.high[i];
    }
    v.sums = vec2(dot(low, vec4(1.0)), dot(high, vec4(1.0)));
    return v;
}

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
