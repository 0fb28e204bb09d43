// F32: a plane of values, zeros after the last one to the end of its unit; 8 vectors a unit.

const BLOCK_LEN: u32 = 1u;

fn unit_values(row: u32, blocks: u32, unit: u32) -> array<vec4<f32>, 8> {
    let at = row + 8u * unit;
    return array(
        bitcast<vec4<f32>>(weights[at]),
        bitcast<vec4<f32>>(weights[at + 1u]),
        bitcast<vec4<f32>>(weights[at + 2u]),
        bitcast<vec4<f32>>(weights[at + 3u]),
        bitcast<vec4<f32>>(weights[at + 4u]),
        bitcast<vec4<f32>>(weights[at + 5u]),
        bitcast<vec4<f32>>(weights[at + 6u]),
        bitcast<vec4<f32>>(weights[at + 7u]),
    );
}

// Vector `part` of a unit's 8.
fn unit_vector(row: u32, unit: u32, part: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(weights[row + 8u * unit + part]);
}
