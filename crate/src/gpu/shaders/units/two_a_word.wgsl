// Rows of F16 and BF16: a plane of values, two a word, the first in the low half; zeros after the last one to the end of its
// unit; 4 vectors a unit. The type's own file gives `four_values` of two words.

const BLOCK_LEN: u32 = 1u;

fn unit_values(row: u32, blocks: u32, unit: u32) -> array<vec4<f32>, 8> {
    let at = row + 4u * unit;
    let a = weights[at];
    let b = weights[at + 1u];
    let c = weights[at + 2u];
    let d = weights[at + 3u];
    return array(
        four_values(a.x, a.y), four_values(a.z, a.w), four_values(b.x, b.y), four_values(b.z, b.w),
        four_values(c.x, c.y), four_values(c.z, c.w), four_values(d.x, d.y), four_values(d.z, d.w),
    );
}

// Vector `part` of a unit's 8.
fn unit_vector(row: u32, unit: u32, part: u32) -> vec4<f32> {
    let two = weights[row + 4u * unit + part / 2u];
    let words = select(two.xy, two.zw, (part & 1u) == 1u);
    return four_values(words.x, words.y);
}
