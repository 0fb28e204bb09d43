//! Text from tokens that arrive one at a time. A character may be spread over several tokens, so bytes wait until they are
//! a whole character, or until it is certain that they never become one.

use std::rc::Rc;

use super::vocab::{TokenType, Vocabulary};

/// Turns byte pieces into text. What has come out so far, and [`Utf8Stream::finish`], together equal
/// `String::from_utf8_lossy` of all bytes.
#[derive(Debug, Default, Clone)]
pub struct Utf8Stream {
    /// The start of a character: three bytes at most between calls.
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Takes bytes and returns the characters that are complete with them. Bytes that cannot become a character are
    /// replaced by U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let incomplete = self.pending.utf8_chunks().last().map_or(0, |chunk| incomplete_length(chunk.invalid()));
        let complete = self.pending.len() - incomplete;
        let text = String::from_utf8_lossy(&self.pending[..complete]).into_owned();
        self.pending.drain(..complete);
        text
    }

    /// What is left: nothing, or one U+FFFD for a character that never ended.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        text
    }
}

/// How many of the last invalid bytes could still become a character, which is all of them or none.
fn incomplete_length(invalid: &[u8]) -> usize {
    match std::str::from_utf8(invalid) {
        // No `error_len` means that the end came too early, and not that a byte was wrong.
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

/// Decodes the tokens of a completion as they are sampled. Made by [`super::Tokenizer::decode_stream`]; owns what it needs.
#[derive(Debug, Clone)]
pub struct DecodeStream {
    vocabulary: Rc<Vocabulary>,
    text: Utf8Stream,
    skip_special: bool,
}

impl DecodeStream {
    pub(super) fn new(vocabulary: Rc<Vocabulary>, skip_special: bool) -> Self {
        Self { vocabulary, text: Utf8Stream::default(), skip_special }
    }

    /// Takes a token and returns the characters that are complete with it. An id outside the vocabulary adds nothing.
    pub fn push(&mut self, id: u32) -> String {
        if self.skip_special && self.vocabulary.kind(id) == Some(TokenType::Control) {
            return String::new();
        }
        self.text.push(self.vocabulary.bytes(id))
    }

    /// What is left at the end of the completion: nothing, or one U+FFFD for a character that never ended.
    pub fn finish(&mut self) -> String {
        self.text.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], cuts: impl Fn(usize) -> bool) {
        let mut stream = Utf8Stream::default();
        let mut text = String::new();
        let mut start = 0;
        for end in 1..=bytes.len() {
            if cuts(end) || end == bytes.len() {
                text += &stream.push(&bytes[start..end]);
                start = end;
            }
        }
        text += &stream.finish();
        assert_eq!(text, String::from_utf8_lossy(bytes), "{bytes:02x?}");
    }

    #[test]
    fn every_split_of_multi_byte_characters_gives_the_same_text() {
        let bytes = "é€🙂a".as_bytes();
        for cuts in 0u32..1 << bytes.len() {
            check(bytes, |end| cuts & (1 << (end - 1)) != 0);
        }
    }

    #[test]
    fn a_character_appears_with_its_last_byte_and_an_error_as_soon_as_it_is_certain() {
        let mut stream = Utf8Stream::default();
        assert_eq!([0xF0, 0x9F, 0x99, 0x82].map(|byte| stream.push(&[byte])), ["", "", "", "🙂"]);
        assert_eq!([0xF0, 0x9F, b'a', 0xFF].map(|byte| stream.push(&[byte])), ["", "", "\u{FFFD}a", "\u{FFFD}"]);
        assert_eq!(stream.push(&[0xE2, 0x82]), "");
        assert_eq!((stream.finish(), stream.finish()), ("\u{FFFD}".into(), String::new()));
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_equal_lossy_decoding_of_the_whole(
            bytes in proptest::collection::vec(proptest::prop_oneof![
                proptest::prelude::any::<u8>(),
                proptest::sample::select(vec![0xC3u8, 0xE0, 0xED, 0xF0, 0xF4, 0x80, 0x8F, 0x9F, 0xA0, 0xBF, b'a']),
            ], 0..40),
            cuts in proptest::prelude::any::<u64>(),
        ) {
            check(&bytes, |end| cuts & (1 << (end % 64)) != 0);
        }
    }
}
