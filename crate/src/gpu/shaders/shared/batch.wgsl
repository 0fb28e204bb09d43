// What changes with every submission. Rows are (sequences, tokens): sequence s has rows s * tokens to (s + 1) * tokens.
struct Batch { // twin: params::Batch
    tokens: u32, // of each sequence
    sequences: u32,
    outputs: u32, // the last rows, whose logits are wanted
    unused: u32,
    slots: array<vec4<u32>, MAX_SEQUENCES>, // of each sequence: the state that is read (x), the state that is written (y)
}
