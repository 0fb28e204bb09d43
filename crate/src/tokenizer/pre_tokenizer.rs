//! Cuts text into the pieces inside which BPE merges. The patterns are facts about each vocabulary; their names are those
//! of `tokenizer.ggml.pre`, and what a name means is what llama.cpp takes it to mean.
//!
//! The published patterns end in `\s+(?!\S)|\s+`: of a run of white space before a word, the last character is left for
//! the word. That look-ahead is deliberately absent here: a backtracking engine gives up on long runs of white space, and
//! then the rest of a document would be one piece. The patterns keep a plain `\s+`, and [`Lookahead`] does the rest.

use std::ops::Range;

use regex::Regex;

use crate::error::{Error, Result};

const PUNCTUATION: &str = r"[\p{P}$+<=>^~|]+";
// Falcon's has the backtick too, which Unicode counts among the symbols.
const FALCON_PUNCTUATION: &str = r"[\p{P}$+<=>^~|`]+";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
const NUMBERS: &str = r"\p{N}+";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";

/// A family of pre-tokenizers, and what else llama.cpp ties to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Default,
    Falcon,
    Gpt2,
    Llama3,
}

const NAMES: [(&str, Family); 10] = [
    ("default", Family::Default),
    ("falcon", Family::Falcon),
    ("gpt-2", Family::Gpt2),
    ("gpt-neox", Family::Gpt2),
    ("mpt", Family::Gpt2),
    ("olmo", Family::Gpt2),
    ("falcon3", Family::Llama3),
    ("llama-bpe", Family::Llama3),
    ("llama-v3", Family::Llama3),
    ("llama3", Family::Llama3),
];

/// What the absent `(?!\S)` would do to a match that ends in white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookahead {
    /// The pattern has none.
    None,
    /// A run of white space before a word gives back its last character.
    AnySpace,
    /// The same, but a run that ends in a line break was matched by an alternative without look-ahead.
    ButLineBreaks,
}

#[derive(Debug)]
struct Stage {
    pattern: Regex,
    lookahead: Lookahead,
}

/// Cuts text into pieces, in stages: each cuts the pieces of the one before, and what a pattern skips is a piece as well.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    stages: Vec<Stage>,
    family: Family,
}

impl PreTokenizer {
    /// The pre-tokenizer of a name; `None` (the file is silent) means `default`, as in llama.cpp.
    pub(super) fn named(name: Option<&str>) -> Result<Self> {
        let name = name.unwrap_or("default");
        let known = || NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let unknown = || Error::PreTokenizer { name: name.chars().take(80).collect(), known: known() };
        let family = NAMES.iter().find(|(n, _)| *n == name).map(|(_, family)| *family).ok_or_else(unknown)?;
        let patterns: &[(&str, Lookahead)] = match family {
            Family::Default => &[
                (PUNCTUATION, Lookahead::None),
                (GPT2, Lookahead::AnySpace),
                (NUMBERS, Lookahead::None),
                (THREE_DIGITS, Lookahead::None),
            ],
            Family::Falcon => {
                &[(FALCON_PUNCTUATION, Lookahead::None), (GPT2, Lookahead::AnySpace), (THREE_DIGITS, Lookahead::None)]
            }
            Family::Gpt2 => &[(GPT2, Lookahead::AnySpace)],
            Family::Llama3 => &[(LLAMA3, Lookahead::ButLineBreaks)],
        };
        let compile = |&(pattern, lookahead): &(&str, Lookahead)| {
            let pattern = Regex::new(pattern).map_err(|error| Error::Vocabulary { problem: error.to_string() })?;
            Ok(Stage { pattern, lookahead })
        };
        Ok(Self { stages: patterns.iter().map(compile).collect::<Result<_>>()?, family })
    }

    /// Whether a piece that is a token as a whole is taken as it is, without merging.
    pub(super) fn ignores_merges(&self) -> bool {
        self.family == Family::Llama3
    }

    /// Whether prompts start with BOS where the file does not say.
    pub(super) fn adds_bos(&self) -> bool {
        self.family == Family::Llama3
    }

    /// Byte ranges of the pieces, in order and without gaps.
    pub(super) fn split(&self, text: &str) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        if !text.is_empty() {
            pieces.push(0..text.len());
        }
        for stage in &self.stages {
            let mut finer = Vec::with_capacity(pieces.len());
            for piece in pieces {
                stage.split(&text[piece.clone()], piece.start, &mut finer);
            }
            pieces = finer;
        }
        pieces
    }
}

impl Stage {
    /// Appends the pieces of `text`, which starts at byte `base` of the whole.
    fn split(&self, text: &str, base: usize, out: &mut Vec<Range<usize>>) {
        let mut done = 0;
        while let Some(found) = self.pattern.find_at(text, done) {
            let end = self.shortened_end(text, found.range());
            if found.start() > done {
                out.push(base + done..base + found.start());
            }
            out.push(base + found.start()..base + end);
            done = end;
        }
        if done < text.len() {
            out.push(base + done..base + text.len());
        }
    }

    /// The end of a match after the look-ahead. Only the alternatives of white space end in white space, line breaks apart.
    fn shortened_end(&self, text: &str, found: Range<usize>) -> usize {
        let unchanged = found.end;
        if self.lookahead == Lookahead::None || unchanged == text.len() {
            return unchanged;
        }
        let Some(last) = text[found.clone()].chars().next_back().filter(|last| last.is_whitespace()) else {
            return unchanged;
        };
        if self.lookahead == Lookahead::ButLineBreaks && matches!(last, '\r' | '\n') {
            return unchanged;
        }
        let shorter = unchanged - last.len_utf8();
        // A single character of white space has nothing to give back: plain `\s+` matches it.
        if shorter == found.start { unchanged } else { shorter }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(name: &str, text: &str, expected: &[&str]) {
        let pieces = PreTokenizer::named(Some(name)).unwrap().split(text);
        let pieces: Vec<&str> = pieces.into_iter().map(|range| &text[range]).collect();
        assert_eq!(pieces, expected, "{name}: {text:?}");
    }

    #[test]
    fn white_space_leaves_its_last_character_to_the_word() {
        for name in ["gpt-2", "llama-bpe", "falcon", "default"] {
            check(name, "a   b", &["a", "  ", " b"]);
            check(name, "a   ", &["a", "   "]);
            check(name, "\t\tb", if name == "llama-bpe" { &["\t", "\tb"] } else { &["\t", "\t", "b"] });
        }
        check("gpt-2", "a\n\n b", &["a", "\n\n", " b"]);
        check("gpt-2", "a \n\nb", &["a", " \n", "\n", "b"]);
        check("llama-bpe", "a \n\nb", &["a", " \n\n", "b"]);
        check("llama-bpe", "a! \n  b", &["a", "!", " \n", " ", " b"]);
        check("llama-bpe", "a!\n\n b", &["a", "!\n\n", " b"]);
    }

    #[test]
    fn digits_and_punctuation_are_cut_as_each_family_does() {
        check("gpt-2", "x 12345", &["x", " 12345"]);
        check("llama-bpe", "x 12345", &["x", " ", "123", "45"]);
        check("falcon", "x 12345<`a", &["x", " ", "123", "45", "<`", "a"]);
        check("default", "x 12345<`a", &["x", " ", "123", "45", "<", "`", "a"]);
    }

    #[test]
    fn pieces_are_those_of_the_published_patterns() {
        #[derive(serde::Deserialize)]
        struct Case {
            pre: String,
            text: String,
            pieces: Vec<String>,
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/vocab/pieces.json");
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.len() >= 60);
        for case in cases {
            check(&case.pre, &case.text, &case.pieces.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    #[test]
    fn absent_means_default_and_unknown_is_an_error_with_the_list() {
        assert_eq!(PreTokenizer::named(None).unwrap().family, Family::Default);
        let error = PreTokenizer::named(Some("qwen2")).unwrap_err();
        assert!(matches!(&error, Error::PreTokenizer { name, known } if name == "qwen2" && known.contains("falcon3")));
    }

    #[test]
    fn a_megabyte_of_white_space_is_one_piece_and_does_not_run_away() {
        let text = format!("{}x", " ".repeat(1 << 20));
        for (name, _) in NAMES {
            assert_eq!(PreTokenizer::named(Some(name)).unwrap().split(&text).len(), 2, "{name}");
        }
    }
}
