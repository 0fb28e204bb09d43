// BF16 as blocks of 4 values, 2 words; rows are zero-padded to whole blocks.
//
//     words 0..2: the values, two a word, the first in the low half; a value is the top 16 bits of its f32
//
// A BF16 subnormal is an f32 subnormal (below 1.2e-38), which a GPU may flush to zero in whatever uses it.

const BLOCK_LEN: u32 = 4u;
const BLOCK_WORDS: u32 = 2u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    // i is always 0 here, the only multiple of 4 below BLOCK_LEN.
    let a = weights[word];
    let b = weights[word + 1u];
    return bitcast<vec4<f32>>(vec4<u32>(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}
