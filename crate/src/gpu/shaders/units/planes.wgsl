// The weights of a shard, and fields of blocks that are smaller than a vector. A row is planes, one after another; a plane
// holds one field of all of the row's blocks, and is padded with zeros to whole vectors. Needs half.wgsl.
//
// Words are picked by selects: indexing a vector at run time goes through memory on some drivers.

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;

// Field `index` of a plane of 8-byte fields that starts at vector `plane`.
fn two_words_at(plane: u32, index: u32) -> vec2<u32> {
    let four = weights[plane + index / 2u];
    return select(four.xy, four.zw, (index & 1u) == 1u);
}

// The same of 4-byte fields.
fn word_at(plane: u32, index: u32) -> u32 {
    let two = two_words_at(plane, index / 2u);
    return select(two.x, two.y, (index & 1u) == 1u);
}

// The same of f16.
fn half_at(plane: u32, index: u32) -> f32 {
    return half_to_f32((word_at(plane, index / 2u) >> (16u * (index & 1u))) & 0xffffu);
}
