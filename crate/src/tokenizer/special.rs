//! Finds the tokens that are cut out of a text before the pre-tokenizer sees it: control tokens, where they are asked for,
//! and user-defined ones.
//!
//! llama.cpp looks for one token after the other, the longest first, each from left to right in what is still text. That
//! takes time by tokens times text, which a vocabulary of thousands makes minutes. Here one pass over the text finds, for
//! each place, the longest token that ends there. Places are then taken by the length of their token, the longest first;
//! where a token does not fit, because what was taken before overlaps it, the place falls back to the next shorter token that
//! ends there. The result is llama.cpp's.

use std::ops::Range;

use ahash::AHashMap;

use super::vocab::{TokenType, Vocabulary};
use crate::error::{Error, Result};

/// Bytes of a special token. Published ones have up to 50; at a place in a text, as many as this may end.
const MAX_BYTES: usize = 256;

/// One stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Text for the pre-tokenizer, as a byte range.
    Text(Range<usize>),
    /// A token that is already known.
    Token(u32),
}

#[derive(Debug)]
struct SpecialToken {
    id: u32,
    text: String,
    is_control: bool,
}

/// All special tokens of a vocabulary.
#[derive(Debug)]
pub(super) struct SpecialTokens {
    /// Longest first, then by id: the order in which llama.cpp looks for them, which decides where they overlap.
    entries: Vec<SpecialToken>,
    automaton: Automaton,
    /// For each entry, the longest one that ends it and is shorter.
    shorter: Vec<Option<u32>>,
}

/// Finds the longest token that ends at each place of a text: Aho and Corasick's trie with links. Its size is linear in the
/// tokens' bytes, which that of a DFA is not (a kilobyte for each), nor that of one that lists all tokens for each place.
#[derive(Debug, Default)]
struct Automaton {
    edges: AHashMap<(u32, u8), u32>,
    /// By node: that of the longest proper suffix of what leads to it.
    links: Vec<u32>,
    /// By node: the longest entry that ends there.
    longest: Vec<Option<u32>>,
}

const ROOT: u32 = 0;

impl Automaton {
    /// The automaton of texts, and for each text the longest other one that ends it.
    fn new(texts: &[&str]) -> (Self, Vec<Option<u32>>) {
        let mut automaton = Self { edges: AHashMap::new(), links: vec![ROOT], longest: vec![None] };
        // By depth, what leads to a node: its parent and a byte.
        let mut levels: Vec<Vec<(u32, u8, u32)>> = vec![Vec::new(); MAX_BYTES];
        let mut ends = Vec::with_capacity(texts.len());
        for (number, text) in (0u32..).zip(texts) {
            let mut node = ROOT;
            for (level, byte) in levels.iter_mut().zip(text.bytes()) {
                let new = automaton.links.len() as u32;
                let next = *automaton.edges.entry((node, byte)).or_insert(new);
                if next == new {
                    automaton.links.push(ROOT);
                    automaton.longest.push(None);
                    level.push((node, byte, new));
                }
                node = next;
            }
            automaton.longest[node as usize] = Some(number);
            ends.push(node);
        }
        for (parent, byte, node) in levels.into_iter().flatten() {
            if parent != ROOT {
                automaton.links[node as usize] = automaton.step(automaton.links[parent as usize], byte);
            }
            let suffix = automaton.longest[automaton.links[node as usize] as usize];
            let longest = &mut automaton.longest[node as usize];
            *longest = longest.or(suffix);
        }
        let links = &automaton.links;
        let shorter = ends.iter().map(|end| automaton.longest[links[*end as usize] as usize]).collect();
        (automaton, shorter)
    }

    fn step(&self, from: u32, byte: u8) -> u32 {
        let mut node = from;
        loop {
            match self.edges.get(&(node, byte)) {
                Some(next) => return *next,
                None if node == ROOT => return ROOT,
                None => node = self.links[node as usize],
            }
        }
    }
}

/// Where a token may be: it ends at `end`, and is the longest of those that were not ruled out there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Occurrence {
    /// In `entries`.
    entry: usize,
    end: usize,
}

impl SpecialTokens {
    pub(super) fn new(vocabulary: &Vocabulary) -> Result<Self> {
        let of_kind = |kind: TokenType| {
            vocabulary.of_kind(kind).map(move |id| SpecialToken {
                id,
                text: vocabulary.special_text(id).to_owned(),
                is_control: kind == TokenType::Control,
            })
        };
        Self::of(of_kind(TokenType::Control).chain(of_kind(TokenType::UserDefined)).collect())
    }

    fn of(mut entries: Vec<SpecialToken>) -> Result<Self> {
        if let Some(long) = entries.iter().find(|entry| entry.text.len() > MAX_BYTES) {
            let (id, bytes) = (long.id, long.text.len());
            let problem = format!("special token {id} has {bytes} bytes, and at most {MAX_BYTES} are supported");
            return Err(Error::Vocabulary { problem });
        }
        entries.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.id.cmp(&b.id)));
        let (automaton, shorter) = Automaton::new(&entries.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>());
        Ok(Self { entries, automaton, shorter })
    }

    /// The texts of the control tokens.
    pub(super) fn control_texts(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| entry.is_control).map(|entry| entry.text.as_str())
    }

    /// Whether there are tokens that are cut out of any text.
    pub(super) fn has_user_defined(&self) -> bool {
        self.entries.iter().any(|entry| !entry.is_control)
    }

    /// Cuts a text. `control_may_start` says, per byte offset, whether a control token may start there;
    /// user-defined tokens are always taken.
    pub(super) fn cut(&self, text: &str, control_may_start: &dyn Fn(usize) -> bool) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        let mut done = 0;
        for (start, entry) in self.places(text, control_may_start) {
            if done < start {
                fragments.push(Fragment::Text(done..start));
            }
            fragments.push(Fragment::Token(entry.id));
            done = start + entry.text.len();
        }
        if done < text.len() {
            fragments.push(Fragment::Text(done..text.len()));
        }
        fragments
    }

    /// The tokens that are taken, and where each starts, from left to right.
    fn places(&self, text: &str, control_may_start: &dyn Fn(usize) -> bool) -> Vec<(usize, &SpecialToken)> {
        let mut by_length: Vec<Vec<Occurrence>> = vec![Vec::new(); MAX_BYTES + 1];
        for candidate in self.longest_ends(text) {
            by_length[self.entries[candidate.entry].text.len()].push(candidate);
        }
        if by_length.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let mut taken = vec![false; text.len()];
        let mut places = Vec::new();
        for length in (1..=MAX_BYTES).rev() {
            let mut candidates = std::mem::take(&mut by_length[length]);
            candidates.sort_unstable();
            for candidate in candidates {
                let (start, entry) = (candidate.end - length, &self.entries[candidate.entry]);
                // What was taken is no shorter than this, so where it overlaps it holds one of the ends. Whatever else
                // ends here would overlap what holds the last byte.
                if taken[candidate.end - 1] {
                    continue;
                }
                if !taken[start] && (!entry.is_control || control_may_start(start)) {
                    taken[start..candidate.end].fill(true);
                    places.push((start, entry));
                } else if let Some(next) = self.shorter[candidate.entry] {
                    let entry = next as usize;
                    by_length[self.entries[entry].text.len()].push(Occurrence { entry, ..candidate });
                }
            }
        }
        places.sort_unstable_by_key(|(start, _)| *start);
        places
    }

    /// The longest token that ends at each place where one does.
    fn longest_ends(&self, text: &str) -> impl Iterator<Item = Occurrence> {
        let mut node = ROOT;
        (1..).zip(text.bytes()).filter_map(move |(end, byte)| {
            node = self.automaton.step(node, byte);
            self.automaton.longest[node as usize].map(|entry| Occurrence { entry: entry as usize, end })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn tokens(texts: &[(String, bool)]) -> SpecialTokens {
        let entries = texts.iter().zip(0..).map(|((text, is_control), id)| SpecialToken {
            id,
            text: text.clone(),
            is_control: *is_control,
        });
        SpecialTokens::of(entries.collect()).unwrap()
    }

    /// llama.cpp's way: one token after the other, in what is still text.
    fn one_after_the_other(tokens: &SpecialTokens, text: &str, may_start: &dyn Fn(usize) -> bool) -> Vec<Fragment> {
        let mut fragments = vec![Fragment::Text(0..text.len())];
        for entry in &tokens.entries {
            let mut finer = Vec::new();
            for fragment in fragments {
                let Fragment::Text(range) = fragment else {
                    finer.push(fragment);
                    continue;
                };
                let (mut done, mut searched) = (range.start, range.start);
                while let Some(offset) = text[searched..range.end].find(&entry.text) {
                    let start = searched + offset;
                    if entry.is_control && !may_start(start) {
                        searched = start + text[start..].chars().next().map_or(1, char::len_utf8);
                        continue;
                    }
                    finer.push(Fragment::Text(done..start));
                    finer.push(Fragment::Token(entry.id));
                    (done, searched) = (start + entry.text.len(), start + entry.text.len());
                }
                finer.push(Fragment::Text(done..range.end));
            }
            fragments = finer;
        }
        fragments.retain(|fragment| !matches!(fragment, Fragment::Text(range) if range.is_empty()));
        fragments
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn one_pass_cuts_as_one_token_after_the_other(
            texts in proptest::collection::btree_map("[abé]{1,5}", any::<bool>(), 0..12),
            text in "[abé]{0,40}",
            forbidden in any::<u64>(),
        ) {
            let tokens = tokens(&texts.into_iter().collect::<Vec<_>>());
            let may_start = |at: usize| forbidden & (1 << (at % 64)) == 0;
            prop_assert_eq!(tokens.cut(&text, &may_start), one_after_the_other(&tokens, &text, &may_start));
        }
    }

    #[test]
    fn a_token_of_many_bytes_is_refused() {
        let entries = |bytes| vec![SpecialToken { id: 7, text: "x".repeat(bytes), is_control: true }];
        assert!(SpecialTokens::of(entries(MAX_BYTES)).is_ok());
        let error = SpecialTokens::of(entries(MAX_BYTES + 1)).unwrap_err().to_string();
        assert!(error.contains("special token 7 has 257 bytes"), "{error}");
    }

    /// Ends in each other, so that at each place all of them end: the worst there is.
    #[test]
    fn tokens_that_end_in_each_other_take_linear_time() {
        let nested: Vec<_> = (1..=MAX_BYTES).map(|length| ("a".repeat(length), length % 2 == 0)).collect();
        let text = "a".repeat(100_000);
        let started = std::time::Instant::now();
        let fragments = tokens(&nested).cut(&text, &|_| false);
        // 392 of 255 bytes, then one of 39, then one of 1: those of an even length are not allowed anywhere.
        assert_eq!(fragments.len(), 394);
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
