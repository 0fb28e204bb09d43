//! Byte-level BPE (`tokenizer.ggml.model` = `gpt2`): a text is cut into pieces by the pre-tokenizer, and the `tokenizers`
//! crate merges the bytes of each.

use ahash::{AHashMap, AHashSet};
use tokenizers::Model;
use tokenizers::models::bpe::BPE;

use super::pre_tokenizer::PreTokenizer;
use super::vocab::{
    STOP_MARKERS, SpecialIds, TokenBytes, TokenType, Vocabulary, bad, byte_name, read_kinds, shorten, token_texts,
};
use crate::error::Result;
use crate::gguf::Metadata;

/// Text to tokens.
#[derive(Debug)]
pub(super) struct ByteLevelBpe {
    pre_tokenizer: PreTokenizer,
    bpe: BPE,
    /// Stands for each byte in the texts of the BPE model.
    alphabet: [char; 256],
}

impl ByteLevelBpe {
    /// Reads the vocabulary of a file, and what makes tokens of texts.
    ///
    /// # Errors
    /// [`crate::Error::Vocabulary`], [`crate::Error::PreTokenizer`], and those of absent or mistyped keys.
    pub(super) fn from_metadata(metadata: &Metadata) -> Result<(Vocabulary, Self)> {
        let (vocabulary, tables) = Tables::from_metadata(metadata)?;
        let pre_tokenizer = PreTokenizer::named(metadata.opt_string("tokenizer.ggml.pre")?)?;
        let bpe = BPE::builder()
            .vocab_and_merges(tables.tokens, tables.merges)
            .ignore_merges(pre_tokenizer.ignores_merges())
            .build()
            .map_err(|error| bad(error.to_string()))?;
        Ok((vocabulary, Self { pre_tokenizer, bpe, alphabet: byte_alphabet() }))
    }

    /// Whether prompts start with BOS where the file says nothing.
    pub(super) fn adds_bos(&self) -> bool {
        self.pre_tokenizer.adds_bos()
    }

    /// Appends the tokens of a text without special tokens.
    ///
    /// # Errors
    /// [`crate::Error::Vocabulary`] where the BPE model fails.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let mut stand_ins = String::new();
        for piece in self.pre_tokenizer.split(text) {
            stand_ins.clear();
            stand_ins.extend(text[piece].bytes().map(|byte| self.alphabet[usize::from(byte)]));
            let tokens = self.bpe.tokenize(&stand_ins).map_err(|error| bad(error.to_string()))?;
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }
}

/// Bytes at the end of a text that could become one piece with what follows it. Pre-tokenizers make pieces of one run of letters,
/// digits, spaces or marks and at most part of the run beside it, so the last two runs may change and none before them.
pub(super) fn joinable_bytes(text: &str) -> usize {
    let kind = |c: char| (c.is_alphabetic(), c.is_numeric(), c.is_whitespace());
    let (mut bytes, mut runs, mut last) = (0, 0, None);
    for c in text.chars().rev() {
        if last.replace(kind(c)) != Some(kind(c)) {
            runs += 1;
        }
        if runs > 2 {
            break;
        }
        bytes += c.len_utf8();
    }
    bytes
}

/// The input of the BPE model: only tokens that text may become, and merges that are known to be sound.
struct Tables {
    tokens: AHashMap<String, u32>,
    merges: Vec<(String, String)>,
}

impl Tables {
    /// Reads and checks `tokenizer.ggml.*`. What is used and wrong is an error, and what is not used a note.
    fn from_metadata(metadata: &Metadata) -> Result<(Vocabulary, Self)> {
        let texts = token_texts(metadata)?;
        let mut notes = Vec::new();
        let mut kinds = read_kinds(metadata, texts)?;
        let mut tokens = index_texts(texts, &kinds, &mut notes)?;
        let merges = read_merges(metadata.strings("tokenizer.ggml.merges")?, &tokens, &mut notes)?;

        let mut ids = SpecialIds::from_metadata(metadata, texts.len(), &mut notes)?;
        let by_text = STOP_MARKERS.iter().filter_map(|text| tokens.get(*text).copied());

        // A marker that the file calls ordinary is still a marker, or else a user could type it. But what merges make, or
        // a single byte, really is text: where completions end with a blank line, prompts still need that token.
        let merged: AHashSet<String> = merges.iter().map(|(left, right)| format!("{left}{right}")).collect();
        let is_marker = |id: u32| {
            let text = &texts[id as usize];
            kinds[id as usize] != TokenType::Normal || (text.chars().nth(1).is_some() && !merged.contains(text))
        };
        let by_text: Vec<u32> = by_text.filter(|&id| is_marker(id)).collect();
        let promoted: Vec<u32> =
            ids.stop.iter().chain(&ids.bos).chain(&by_text).copied().filter(|&id| is_marker(id)).collect();
        for id in promoted {
            if kinds[id as usize] != TokenType::Unused {
                kinds[id as usize] = TokenType::Control;
            }
        }
        ids.stop.extend(by_text);

        // Control tokens are out of reach for BPE: no text that a user writes may become one, whatever the merges say.
        let is_control = |text: &str| tokens.get(text).is_some_and(|&id| kinds[id as usize] == TokenType::Control);
        let merges = merges
            .into_iter()
            .filter(|(left, right)| !is_control(left) && !is_control(right) && !is_control(&format!("{left}{right}")))
            .collect();
        tokens.retain(|_, id| kinds[*id as usize] != TokenType::Control);

        let vocabulary = Vocabulary::new(decode_all(texts, &kinds), kinds, ids, notes);
        Ok((vocabulary, Self { tokens, merges }))
    }
}

/// Ids by text. An unused entry may repeat a text, since no text becomes it.
fn index_texts(texts: &[String], kinds: &[TokenType], notes: &mut Vec<String>) -> Result<AHashMap<String, u32>> {
    let mut tokens = AHashMap::with_capacity(texts.len());
    let mut repeated = 0;
    for (id, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        let number = u32::try_from(id).map_err(|_| bad("it has more than 4294967295 tokens".into()))?;
        let first = match tokens.get(text) {
            None => {
                tokens.insert(text.clone(), number);
                continue;
            }
            Some(first) => *first,
        };
        if kinds[id] == TokenType::Unused {
            repeated += 1;
        } else if kinds[first as usize] == TokenType::Unused {
            repeated += 1;
            tokens.insert(text.clone(), number);
        } else {
            return Err(bad(format!("tokens {first} and {id} have the same text `{}`", shorten(text))));
        }
    }
    if repeated > 0 {
        notes.push(format!("{repeated} unused tokens have the texts of others"));
    }
    Ok(tokens)
}

/// Splits `left right` lines. The BPE builder indexes by the longest token, so a pair whose union is no token would make
/// it panic: every pair is checked here. A merge that can make no token is left out and noted, unless none is left. Of equal
/// pairs the first counts, as in llama.cpp.
fn read_merges(
    lines: &[String],
    tokens: &AHashMap<String, u32>,
    notes: &mut Vec<String>,
) -> Result<Vec<(String, String)>> {
    let mut seen = AHashSet::with_capacity(lines.len());
    let mut merges = Vec::with_capacity(lines.len());
    let mut left_out = 0;
    let mut first_problem = None;
    for (rank, line) in lines.iter().enumerate() {
        match read_merge(line, tokens) {
            Ok((left, right)) => {
                if seen.insert((tokens[left], tokens[right])) {
                    merges.push((left.into(), right.into()));
                }
            }
            Err(problem) => {
                left_out += 1;
                first_problem.get_or_insert_with(|| format!("merge {rank}{problem}"));
            }
        }
    }
    match first_problem {
        Some(problem) if merges.is_empty() => Err(bad(problem)),
        Some(problem) => {
            notes.push(format!("{left_out} of {} merges make no token and are left out: {problem}", lines.len()));
            Ok(merges)
        }
        None => Ok(merges),
    }
}

fn read_merge<'l>(line: &'l str, tokens: &AHashMap<String, u32>) -> std::result::Result<(&'l str, &'l str), String> {
    let pair = line.split_once(' ').filter(|(left, right)| !left.is_empty() && !right.is_empty());
    let (left, right) = pair.ok_or_else(|| format!(", `{}`, is not two texts with a space between", shorten(line)))?;
    let union = format!("{left}{right}");
    match [left, right, &union].into_iter().find(|text| !tokens.contains_key(*text)) {
        Some(unknown) => Err(format!(" needs `{}`, which is not a token", shorten(unknown))),
        None => Ok((left, right)),
    }
}

/// What each token decodes to.
fn decode_all(texts: &[String], kinds: &[TokenType]) -> TokenBytes {
    let alphabet: AHashMap<char, u8> = byte_alphabet().into_iter().zip(0..=u8::MAX).collect();
    let mut tokens = TokenBytes::with_capacity(texts.len(), texts.iter().map(String::len).sum());
    for (text, kind) in texts.iter().zip(kinds) {
        match kind {
            TokenType::Unused => tokens.push(&[]),
            TokenType::Control | TokenType::UserDefined => tokens.push(text.as_bytes()),
            TokenType::Byte => match byte_name(text) {
                Some(byte) => tokens.push(&[byte]),
                None => tokens.push(text.as_bytes()),
            },
            // A text outside the byte alphabet was put in as it is, so it is given back so.
            TokenType::Normal => {
                match text.chars().map(|char| alphabet.get(&char).copied()).collect::<Option<Vec<u8>>>() {
                    Some(bytes) => tokens.push(&bytes),
                    None => tokens.push(text.as_bytes()),
                }
            }
        }
    }
    tokens
}

/// GPT-2's printable stand-in for each byte: itself where Latin-1 prints it, else the next free character from U+0100.
pub fn byte_alphabet() -> [char; 256] {
    let mut next = 0x100u32;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
            return char::from(byte);
        }
        let stand_in = char::from_u32(next).unwrap_or_default();
        next += 1;
        stand_in
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_gpt2s() {
        let alphabet = byte_alphabet();
        assert_eq!(alphabet[b' ' as usize], 'Ġ');
        assert_eq!(alphabet[b'\n' as usize], 'Ċ');
        assert_eq!(alphabet[b'a' as usize], 'a');
        assert_eq!(alphabet[0xAD], 'Ń');
        assert_eq!(alphabet.iter().collect::<std::collections::HashSet<_>>().len(), 256);
    }

    #[test]
    fn the_last_two_runs_may_be_joined() {
        for (text, bytes) in
            [("", 0), ("abc", 3), ("one two", 4), ("x two ", 4), ("é\n\"\"\"", 4), ("In 18", 3), ("a...\n", 4)]
        {
            assert_eq!(joinable_bytes(text), bytes, "{text:?}");
        }
    }
}
