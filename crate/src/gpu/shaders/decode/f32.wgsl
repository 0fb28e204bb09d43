// F32 as blocks of 4 values, 4 words; rows are zero-padded to whole blocks.
//
//     words 0..4: the values

const BLOCK_LEN: u32 = 4u;
const BLOCK_WORDS: u32 = 4u;

fn decode4(word: u32, i: u32) -> vec4<f32> {
    // i is always 0 here, the only multiple of 4 below BLOCK_LEN.
    return bitcast<vec4<f32>>(vec4<u32>(weights[word], weights[word + 1u], weights[word + 2u], weights[word + 3u]));
}
