//! Finds the tokens that are cut out of a text before the pre-tokenizer sees it: control tokens, where they are asked for,
//! and user-defined ones.

use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::vocab::{Kind, Vocabulary};
use crate::error::{Error, Result};

/// One stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Text for the pre-tokenizer, as a byte range.
    Text(Range<usize>),
    /// A token that is already known.
    Token(u32),
}

#[derive(Debug)]
struct Entry {
    id: u32,
    text: String,
    is_control: bool,
}

/// All special tokens of a vocabulary.
#[derive(Debug)]
pub(super) struct SpecialTokens {
    /// Longest first: that is the order in which llama.cpp looks for them, and it decides where they overlap.
    entries: Vec<Entry>,
    /// Tells which entries occur at all. A vocabulary may reserve thousands, and a text holds a handful.
    occurring: AhoCorasick,
}

impl SpecialTokens {
    pub(super) fn new(vocabulary: &Vocabulary) -> Result<Self> {
        let of_kind = |kind: Kind| {
            vocabulary.of_kind(kind).map(move |id| Entry {
                id,
                text: vocabulary.special_text(id).to_owned(),
                is_control: kind == Kind::Control,
            })
        };
        let mut entries: Vec<Entry> = of_kind(Kind::Control).chain(of_kind(Kind::UserDefined)).collect();
        entries.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.id.cmp(&b.id)));
        let occurring = AhoCorasick::new(entries.iter().map(|entry| &entry.text))
            .map_err(|error| Error::Vocabulary { problem: format!("its special tokens are too many: {error}") })?;
        Ok(Self { entries, occurring })
    }

    /// The texts of the control tokens.
    pub(super) fn control_texts(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| entry.is_control).map(|entry| entry.text.as_str())
    }

    /// Cuts a text. `control_may_start` says, per byte offset, whether a control token may start there;
    /// user-defined tokens are always taken.
    pub(super) fn cut(&self, text: &str, control_may_start: &dyn Fn(usize) -> bool) -> Vec<Fragment> {
        let mut occurs = vec![false; self.entries.len()];
        for found in self.occurring.find_overlapping_iter(text) {
            occurs[found.pattern().as_usize()] = true;
        }
        let mut fragments = vec![Fragment::Text(0..text.len())];
        for (entry, _) in self.entries.iter().zip(&occurs).filter(|(_, occurs)| **occurs) {
            let mut finer = Vec::with_capacity(fragments.len());
            for fragment in fragments {
                match fragment {
                    Fragment::Text(range) => entry.cut(text, range, control_may_start, &mut finer),
                    token => finer.push(token),
                }
            }
            fragments = finer;
        }
        fragments.retain(|fragment| !matches!(fragment, Fragment::Text(range) if range.is_empty()));
        fragments
    }
}

impl Entry {
    fn cut(&self, text: &str, range: Range<usize>, control_may_start: &dyn Fn(usize) -> bool, out: &mut Vec<Fragment>) {
        let mut done = range.start;
        let mut searched = range.start;
        while let Some(offset) = text[searched..range.end].find(&self.text) {
            let start = searched + offset;
            let end = start + self.text.len();
            if self.is_control && !control_may_start(start) {
                // Step over one character only: a permitted match may overlap this one.
                searched = start + text[start..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            out.push(Fragment::Text(done..start));
            out.push(Fragment::Token(self.id));
            (done, searched) = (end, end);
        }
        out.push(Fragment::Text(done..range.end));
    }
}
