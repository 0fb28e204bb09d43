//! The engine's vocabularies, as llguidance sees them.

use llguidance::toktrie::{TokRxInfo, TokTrie};

use super::Problem;

/// The most bytes of a token that the trie holds. A longer one is never allowed: shorter ones say the same.
const MOST_BYTES: usize = 255;
/// The most tokens that it numbers, without the one for the end.
const MOST_TOKENS: usize = 0xff_fffe;

/// What each token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// By id; empty for what no answer consists of.
    words: Vec<Vec<u8>>,
}

impl Vocabulary {
    /// From the engine's table (`Tokenizer::token_table`). Control tokens say nothing.
    ///
    /// # Errors
    /// For a table that is not one.
    pub fn from_table(table: &[u8]) -> Result<Self, Problem> {
        Self::read(table).ok_or_else(|| "the table of the vocabulary is damaged".into())
    }

    fn read(table: &[u8]) -> Option<Self> {
        let (count, rest) = table.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (lengths, mut bytes) = rest.split_at_checked(count.checked_mul(4)?)?;
        if count > MOST_TOKENS {
            return None;
        }
        let mut words = Vec::with_capacity(count);
        for length in lengths.as_chunks::<4>().0 {
            let length = u32::from_le_bytes(*length);
            let word = bytes.split_off(..length as usize / 2)?;
            let says_nothing =
                length % 2 == 1 || word.len() > MOST_BYTES || word.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER);
            words.push(if says_nothing { Vec::new() } else { word.to_vec() });
        }
        bytes.is_empty().then_some(Self { words })
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// With one token more, which stands for the end: which of the model's tokens end an answer is the engine's to know.
    pub(crate) fn trie(&self) -> TokTrie {
        let end = self.words.len() as u32;
        let mut words = self.words.clone();
        words.push([&[TokTrie::SPECIAL_TOKEN_MARKER], b"<|end|>".as_slice()].concat());
        TokTrie::from(&TokRxInfo::new(end + 1, end), &words)
    }
}
