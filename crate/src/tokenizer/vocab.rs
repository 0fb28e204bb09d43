//! The vocabulary of a GGUF file: token bytes, kinds, special ids and merges. Everything in it is untrusted.

use ahash::{AHashMap, AHashSet};

use crate::error::{Error, Result};
use crate::gguf::{Metadata, Value};

/// Texts that end a turn in the families that byte-level BPE files come from. Converters give only some of them an id of
/// their own in the metadata, so llama.cpp finds the others by text, and so does this engine.
const STOP_MARKERS: [&str; 9] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<EOT>",
    "</s>",
];

/// Keys of tokens that the engine does not run by: a template may write some of them.
const UNUSED_KEYS: [&str; 5] = [
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.seperator_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.cls_token_id",
];

const BOS_KEY: &str = "tokenizer.ggml.bos_token_id";

/// Keys whose token ends a completion.
const STOP_KEYS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// What a token is for, from `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    /// Byte-level text, made by merges.
    Normal,
    /// A marker that structures the prompt; never made from text that a user wrote.
    Control,
    /// Literal text that is cut out before the pre-tokenizer runs, in any text.
    UserDefined,
    /// Padding of the table, or an empty entry: it stands for nothing.
    Unused,
    /// One byte, written `<0xHH>`.
    Byte,
}

impl TokenType {
    fn from_type(id: usize, value: i64) -> Result<Self> {
        match value {
            0 | 1 => Ok(Self::Normal),
            // "Unknown" is a placeholder, which llama.cpp hides and matches as it does control tokens.
            2 | 3 => Ok(Self::Control),
            4 => Ok(Self::UserDefined),
            5 => Ok(Self::Unused),
            6 => Ok(Self::Byte),
            _ => Err(bad(format!("token {id} has the unknown type {value}"))),
        }
    }
}

/// What the rest of the tokenizer needs to know about each token, without the merges.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// What every token decodes to, one after another.
    bytes: Vec<u8>,
    /// `ends[id]` is where token `id` ends in `bytes`.
    ends: Vec<usize>,
    kinds: Vec<TokenType>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) stop: Vec<u32>,
    /// What is wrong in the file, and no reason to refuse it because nothing uses it: a sentence each.
    pub(super) notes: Vec<String>,
}

/// The input of the BPE model: only tokens that text may become, and merges that are known to be sound.
pub(super) struct BpeTables {
    pub(super) tokens: AHashMap<String, u32>,
    pub(super) merges: Vec<(String, String)>,
}

impl Vocabulary {
    /// Reads and checks `tokenizer.ggml.*`. What is used and wrong is an error, and what is not used a note.
    pub(super) fn from_metadata(metadata: &Metadata) -> Result<(Self, BpeTables)> {
        let model = metadata.string("tokenizer.ggml.model")?;
        if model != "gpt2" {
            return Err(bad(format!("its kind is `{model}`, and only `gpt2` (byte-level BPE) is supported")));
        }
        let texts = metadata.strings("tokenizer.ggml.tokens")?;
        if texts.is_empty() {
            return Err(bad("it has no tokens".into()));
        }
        let mut notes = Vec::new();
        let mut kinds = read_kinds(metadata, texts)?;
        let mut tokens = index_texts(texts, &kinds, &mut notes)?;
        let merges = read_merges(metadata.strings("tokenizer.ggml.merges")?, &tokens, &mut notes)?;

        let special_id = |key: &str| -> Result<Option<u32>> {
            match metadata.opt_u32(key)? {
                Some(id) if id as usize >= texts.len() => {
                    Err(bad(format!("`{key}` is {id}, and there are only {} tokens", texts.len())))
                }
                id => Ok(id),
            }
        };
        let bos = if says_none(metadata.get(BOS_KEY)) {
            notes.push(format!("`{BOS_KEY}` is -1: there is no BOS"));
            None
        } else {
            special_id(BOS_KEY)?
        };
        let eos = special_id("tokenizer.ggml.eos_token_id")?;
        for key in UNUSED_KEYS {
            match special_id(key) {
                Ok(_) => {}
                Err(Error::Vocabulary { problem }) => notes.push(format!("{problem}; nothing uses it")),
                Err(error) => notes.push(format!("{error}; nothing uses it")),
            }
        }
        let mut stop = Vec::new();
        for key in STOP_KEYS {
            stop.extend(special_id(key)?);
        }
        let by_text = STOP_MARKERS.iter().filter_map(|text| tokens.get(*text).copied());

        // A marker that the file calls ordinary is still a marker, or else a user could type it. But what merges make, or
        // a single byte, really is text: where completions end with a blank line, prompts still need that token.
        let merged: AHashSet<String> = merges.iter().map(|(left, right)| format!("{left}{right}")).collect();
        let is_marker = |id: u32| {
            let text = &texts[id as usize];
            kinds[id as usize] != TokenType::Normal || (text.chars().nth(1).is_some() && !merged.contains(text))
        };
        let by_text: Vec<u32> = by_text.filter(|&id| is_marker(id)).collect();
        let promoted: Vec<u32> = stop.iter().chain(&bos).chain(&by_text).copied().filter(|&id| is_marker(id)).collect();
        for id in promoted {
            if kinds[id as usize] != TokenType::Unused {
                kinds[id as usize] = TokenType::Control;
            }
        }
        stop.extend(by_text);
        stop.sort_unstable();
        stop.dedup();

        // Control tokens are out of reach for BPE: no text that a user writes may become one, whatever the merges say.
        let is_control = |text: &str| tokens.get(text).is_some_and(|&id| kinds[id as usize] == TokenType::Control);
        let merges = merges
            .into_iter()
            .filter(|(left, right)| !is_control(left) && !is_control(right) && !is_control(&format!("{left}{right}")))
            .collect();
        tokens.retain(|_, id| kinds[*id as usize] != TokenType::Control);

        let (bytes, ends) = decode_all(texts, &kinds);
        Ok((Self { bytes, ends, kinds, bos, eos, stop, notes }, BpeTables { tokens, merges }))
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// What a token decodes to; for control and user-defined tokens their text. Empty outside the vocabulary.
    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..end]
    }

    pub(super) fn kind(&self, id: u32) -> Option<TokenType> {
        self.kinds.get(id as usize).copied()
    }

    /// The text of a control or user-defined token, which is UTF-8 because the file's strings are.
    pub(super) fn special_text(&self, id: u32) -> &str {
        std::str::from_utf8(self.bytes(id)).unwrap_or_default()
    }

    /// Ids of a kind, in order.
    pub(super) fn of_kind(&self, kind: TokenType) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.kinds).filter(move |(_, k)| **k == kind).map(|(id, _)| id)
    }
}

fn bad(problem: String) -> Error {
    Error::Vocabulary { problem }
}

fn read_kinds(metadata: &Metadata, texts: &[String]) -> Result<Vec<TokenType>> {
    let mut kinds = match metadata.opt_integers("tokenizer.ggml.token_type")? {
        None => vec![TokenType::Normal; texts.len()],
        Some(types) if types.len() != texts.len() => {
            return Err(bad(format!("it has {} tokens and {} token types", texts.len(), types.len())));
        }
        Some(types) => types.iter().enumerate().map(|(id, &t)| TokenType::from_type(id, t)).collect::<Result<_>>()?,
    };
    for (kind, text) in kinds.iter_mut().zip(texts) {
        if text.is_empty() {
            *kind = TokenType::Unused;
        }
    }
    Ok(kinds)
}

/// -1, as converters write an id for which there is no token: signed, or as the u32 of the same bits.
fn says_none(id: Option<&Value>) -> bool {
    matches!(id, Some(Value::Signed(-1) | Value::Unsigned(0xFFFF_FFFF)))
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

/// The start of a text, for messages: the file decides how long it is.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

fn decode_all(texts: &[String], kinds: &[TokenType]) -> (Vec<u8>, Vec<usize>) {
    let alphabet: AHashMap<char, u8> = byte_alphabet().into_iter().zip(0..=u8::MAX).collect();
    let mut bytes = Vec::with_capacity(texts.iter().map(String::len).sum());
    let mut ends = Vec::with_capacity(texts.len());
    for (text, kind) in texts.iter().zip(kinds) {
        let start = bytes.len();
        match kind {
            TokenType::Unused => {}
            TokenType::Control | TokenType::UserDefined => bytes.extend_from_slice(text.as_bytes()),
            TokenType::Byte => match byte_name(text) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(text.as_bytes()),
            },
            TokenType::Normal => {
                for char in text.chars() {
                    match alphabet.get(&char) {
                        Some(byte) => bytes.push(*byte),
                        // A text outside the byte alphabet was put in as it is, so it is given back so.
                        None => {
                            bytes.truncate(start);
                            bytes.extend_from_slice(text.as_bytes());
                            break;
                        }
                    }
                }
            }
        }
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn byte_name(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` would take a sign too.
    let is_name = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_name.then(|| u8::from_str_radix(digits, 16).ok())?
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
    fn byte_tokens_are_one_byte() {
        assert_eq!(byte_name("<0x0A>"), Some(10));
        for other in ["<0x0>", "<0x+A>", "<0xGG>", "0x0A", "<0x0A", "<0xé>"] {
            assert_eq!(byte_name(other), None, "{other}");
        }
    }
}
