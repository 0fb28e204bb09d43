// What the quantised types share. A type's own file gives `load_unit`; signed.wgsl or unsigned.wgsl its `unpack`.
//
//     value = scale[run] * q - minimum[run]
//
// In f32 the product is exact, as each type's file argues, so that fusing the subtraction changes nothing: it rounds where
// the type's own definition does, or nowhere.

struct Unit {
    q: array<vec4<u32>, 2>, // of each run: byte j of word i is the quant of column 4 i + j, a signed byte
    scale: vec2<f32>,
    minimum: vec2<f32>,
}

// 16 bytes of nibbles: run A has the low ones, run B the high ones.
fn nibbles(packed: vec4<u32>) -> array<vec4<u32>, 2> {
    let mask = vec4(0x0f0f0f0fu);
    return array(packed & mask, (packed >> vec4(4u)) & mask);
}

// The values of a unit: four vectors of run A, four of run B.
fn unit_values(row: u32, blocks: u32, unit: u32) -> array<vec4<f32>, 8> {
    let u = load_unit(row, blocks, unit);
    let a = u.q[0];
    let b = u.q[1];
    return array(
        u.scale.x * unpack(a.x) - u.minimum.x,
        u.scale.x * unpack(a.y) - u.minimum.x,
        u.scale.x * unpack(a.z) - u.minimum.x,
        u.scale.x * unpack(a.w) - u.minimum.x,
        u.scale.y * unpack(b.x) - u.minimum.y,
        u.scale.y * unpack(b.y) - u.minimum.y,
        u.scale.y * unpack(b.z) - u.minimum.y,
        u.scale.y * unpack(b.w) - u.minimum.y,
    );
}
