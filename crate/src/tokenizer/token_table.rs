//! The vocabulary as one run of bytes, for programs beside the engine that need to know what each token says.

use super::Tokenizer;

impl Tokenizer {
    /// Every token's bytes. In little-endian order: the number of tokens (u32); of each token twice the number of its bytes, plus one for a
    /// control token (u32); then the bytes, one token after another. A control token has the bytes of its name; tokens that mean nothing
    /// have none.
    pub fn token_table(&self) -> Vec<u8> {
        let ids = 0..self.vocab_size() as u32;
        let length = |id: u32| 2 * self.token_bytes(id).len() as u32 + u32::from(self.is_control(id));
        let head = std::iter::once(self.vocab_size() as u32).chain(ids.clone().map(length));
        let mut table: Vec<u8> = head.flat_map(u32::to_le_bytes).collect();
        ids.for_each(|id| table.extend_from_slice(self.token_bytes(id)));
        table
    }
}
