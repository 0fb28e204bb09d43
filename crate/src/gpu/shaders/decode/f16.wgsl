// F16 as blocks of 4 values, 2 words; rows are zero-padded to whole blocks. Needs half.wgsl.
//
//     words 0..2: the values, two a word, the first in the low half

const BLOCK_LEN: u32 = 4u;
const BLOCK_WORDS: u32 = 2u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    // i is always 0 here, the only multiple of 4 below BLOCK_LEN.
    let a = weights[word];
    let b = weights[word + 1u];
    return vec4<f32>(
        half_to_f32(a & 0xffffu),
        half_to_f32(a >> 16u),
        half_to_f32(b & 0xffffu),
        half_to_f32(b >> 16u),
    );
}
