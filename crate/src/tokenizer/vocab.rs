//! The vocabulary of a GGUF file: token bytes, kinds and special ids, whatever kind of vocabulary it is. Everything in it is
//! untrusted.

use crate::error::{Error, Result};
use crate::gguf::{Metadata, Value};

/// Texts that end a turn in the families that byte-level BPE files come from. Converters give only some of them an id of
/// their own in the metadata, so llama.cpp finds the others by text, and so does this engine.
pub(super) const STOP_MARKERS: [&str; 9] = [
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
    /// Text.
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

/// What the rest of the tokenizer needs to know about each token.
#[derive(Debug)]
pub(super) struct Vocabulary {
    bytes: TokenBytes,
    kinds: Vec<TokenType>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) stop: Vec<u32>,
    /// What is wrong in the file, and no reason to refuse it because nothing uses it: a sentence each.
    pub(super) notes: Vec<String>,
}

/// What every token decodes to.
#[derive(Debug)]
pub(super) struct TokenBytes {
    /// One token after another.
    bytes: Vec<u8>,
    /// `ends[id]` is where token `id` ends in `bytes`.
    ends: Vec<usize>,
}

impl TokenBytes {
    /// Room for as many tokens.
    pub(super) fn with_capacity(tokens: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(tokens) }
    }

    /// Appends the next token.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// Bytes of all tokens.
    pub(super) fn total(&self) -> usize {
        self.bytes.len()
    }

    /// What a token decodes to. Empty outside the vocabulary.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..end]
    }
}

/// Ids that the file names.
pub(super) struct SpecialIds {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    /// EOS, EOT and EOM, as far as there are.
    pub(super) stop: Vec<u32>,
}

impl SpecialIds {
    /// Reads and checks them. What is used and wrong is an error, and what is not used a note.
    pub(super) fn from_metadata(metadata: &Metadata, tokens: usize, notes: &mut Vec<String>) -> Result<Self> {
        let special_id = |key: &str| -> Result<Option<u32>> {
            match metadata.opt_u32(key)? {
                Some(id) if id as usize >= tokens => {
                    Err(bad(format!("`{key}` is {id}, and there are only {tokens} tokens")))
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
        Ok(Self { bos, eos, stop })
    }
}
impl Vocabulary {
    /// Puts together what was read. `stop` need not be sorted.
    pub(super) fn new(bytes: TokenBytes, kinds: Vec<TokenType>, ids: SpecialIds, notes: Vec<String>) -> Self {
        let SpecialIds { bos, eos, mut stop } = ids;
        stop.sort_unstable();
        stop.dedup();
        Self { bytes, kinds, bos, eos, stop, notes }
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// What a token decodes to; for control and user-defined tokens their text. Empty outside the vocabulary.
    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id)
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

pub(super) fn bad(problem: String) -> Error {
    Error::Vocabulary { problem }
}

/// The file's tokens, as they are written there, of which there is at least one.
pub(super) fn token_texts(metadata: &Metadata) -> Result<&[String]> {
    let texts = metadata.strings("tokenizer.ggml.tokens")?;
    if texts.is_empty() {
        return Err(bad("it has no tokens".into()));
    }
    Ok(texts)
}

/// The kinds of tokens; an empty one stands for nothing.
pub(super) fn read_kinds(metadata: &Metadata, texts: &[String]) -> Result<Vec<TokenType>> {
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

/// The start of a text, for messages: the file decides how long it is.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The byte that a token of the form `<0xHH>` stands for.
pub(super) fn byte_name(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` would take a sign too.
    let is_name = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_name.then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_tokens_are_one_byte() {
        assert_eq!(byte_name("<0x0A>"), Some(10));
        for other in ["<0x0>", "<0x+A>", "<0xGG>", "0x0A", "<0x0A", "<0xé>"] {
            assert_eq!(byte_name(other), None, "{other}");
        }
    }
}
