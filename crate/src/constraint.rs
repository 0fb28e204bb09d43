//! What an answer may consist of, token by token: the seam between the scheduler and what knows a grammar.
//!
//! Before a token is sampled its [`Constraint`] says which may come, and afterwards it is told which one came. A token that has been
//! taken stays taken: where a device is lost the model reads it again, and the constraint is told nothing twice.

use crate::error::Result;

/// Decides what may come next in one answer.
pub trait Constraint {
    /// What may come next. Until a token is taken it says the same each time.
    ///
    /// # Errors
    /// [`crate::Error::Grammar`] where it allows nothing at all, or fails.
    fn allowed(&mut self) -> Result<Allowed>;

    /// Goes on after a token, one of those that were allowed.
    ///
    /// # Errors
    /// [`crate::Error::Grammar`] for any other token.
    fn take(&mut self, token: u32) -> Result<()>;
}

/// What may come next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Tokens that may be sampled.
    pub tokens: TokenMask,
    /// Whether the answer may end here.
    pub may_end: bool,
}

/// A set of tokens, a bit each: token t is bit t % 32 of word t / 32. What is beyond the words is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenMask {
    words: Vec<u32>,
}

impl TokenMask {
    /// Of its words.
    pub fn new(words: Vec<u32>) -> Self {
        Self { words }
    }

    /// Of one token.
    pub fn of(token: u32) -> Self {
        let mut mask = Self::default();
        mask.insert(token);
        mask
    }

    /// The tokens below `count`.
    pub fn all(count: usize) -> Self {
        let mut words = vec![u32::MAX; count.div_ceil(32)];
        if let Some(last) = words.last_mut() {
            *last >>= (32 - count % 32) % 32;
        }
        Self { words }
    }

    /// Its words.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Whether a token is in it.
    pub fn contains(&self, token: u32) -> bool {
        self.words.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
    }

    /// Adds a token.
    pub fn insert(&mut self, token: u32) {
        let word = token as usize / 32;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (token % 32);
    }

    /// Takes a token out.
    pub fn remove(&mut self, token: u32) {
        if let Some(word) = self.words.get_mut(token as usize / 32) {
            *word &= !(1 << (token % 32));
        }
    }

    /// Takes out all tokens from `count` on.
    pub fn truncate(&mut self, count: usize) {
        self.words.truncate(count.div_ceil(32));
        if let Some(last) = self.words.get_mut(count / 32) {
            *last &= (1 << (count % 32)) - 1;
        }
    }

    /// The tokens in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).step_by(32).zip(&self.words).flat_map(|(first, &word)| Bits(word).map(move |bit| first + bit))
    }
}

/// The numbers of the bits that are set, in order.
struct Bits(u32);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (bit < 32).then_some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_a_set_of_tokens() {
        for count in [0, 1, 31, 32, 33, 64, 100] {
            let all = TokenMask::all(count);
            assert!(all.iter().eq(0..count as u32), "{count}");
            assert!(!all.contains(count as u32));
            let mut cut = TokenMask::all(200);
            cut.truncate(count);
            assert!(cut.iter().eq(0..count as u32), "{count}");
        }
        let mut mask = TokenMask::default();
        [70, 3, 31, 32].into_iter().for_each(|token| mask.insert(token));
        assert_eq!(mask.iter().collect::<Vec<_>>(), [3, 31, 32, 70]);
        mask.remove(31);
        mask.remove(5000);
        assert!(mask.contains(70) && !mask.contains(31) && !mask.contains(5000));
    }
}
