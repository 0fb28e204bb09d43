//! The vocabulary of RWKV World models (`tokenizer.ggml.model` = `rwkv`): a text's bytes become, from the left, the longest
//! token that they begin with. There is no pre-tokenizer, and no text becomes a control token: RWKV's own tokenizers know
//! none. (llama.cpp puts the texts of all ids into its trie, and so lets a text hold the token that ends it.)

use super::byte_trie::ByteTrie;
use super::vocab::{
    STOP_MARKERS, SpecialIds, TokenBytes, TokenType, Vocabulary, bad, byte_name, read_kinds, shorten, token_texts,
};
use crate::error::Result;
use crate::gguf::Metadata;

/// Bytes of a token of text. The longest of the World vocabulary has 128; each place of a text may take as many steps.
const MAX_BYTES: usize = 256;

/// Ends a text: training data has it after each sample. It is the end whatever the file says, and no text.
const END: u32 = 0;

/// Text to tokens.
#[derive(Debug)]
pub(super) struct LongestMatch {
    trie: ByteTrie,
}

impl LongestMatch {
    /// Reads the vocabulary of a file, and what makes tokens of texts.
    ///
    /// # Errors
    /// [`crate::Error::Vocabulary`], and those of absent or mistyped keys.
    pub(super) fn from_metadata(metadata: &Metadata) -> Result<(Vocabulary, Self)> {
        let texts = token_texts(metadata)?;
        let mut notes = Vec::new();
        let mut kinds = read_kinds(metadata, texts)?;
        if kinds[END as usize] != TokenType::Unused {
            kinds[END as usize] = TokenType::Control;
        }
        let mut ids = SpecialIds::from_metadata(metadata, texts.len(), &mut notes)?;
        ids.stop.push(END);
        let controls = (0u32..).zip(texts).zip(&kinds).filter(|(_, kind)| **kind == TokenType::Control);
        ids.stop.extend(controls.filter(|((_, text), _)| STOP_MARKERS.contains(&text.as_str())).map(|((id, _), _)| id));
        let bytes = decode_all(texts, &kinds)?;
        let trie = trie_of(&bytes, &kinds, texts)?;
        let lost = (0..=u8::MAX).filter(|&byte| trie.longest(&[byte]).is_none()).count();
        if lost > 0 {
            notes.push(format!("{lost} of 256 bytes have no token: texts lose them"));
        }
        Ok((Vocabulary::new(bytes, kinds, ids, notes), Self { trie }))
    }

    /// Appends the tokens of a text. A byte that begins no token is dropped.
    pub(super) fn encode(&self, text: &[u8], ids: &mut Vec<u32>) {
        let mut rest = text;
        while !rest.is_empty() {
            let length = match self.trie.longest(rest) {
                Some((id, length)) => {
                    ids.push(id);
                    length
                }
                None => 1,
            };
            rest = &rest[length..];
        }
    }

    /// Whether the first token of `text` could be another one if the text went on.
    pub(super) fn may_grow(&self, text: &[u8]) -> bool {
        self.trie.may_grow(text)
    }
}

/// What each token decodes to.
fn decode_all(texts: &[String], kinds: &[TokenType]) -> Result<TokenBytes> {
    let mut tokens = TokenBytes::with_capacity(texts.len(), texts.iter().map(String::len).sum());
    let mut bytes = Vec::new();
    for (id, (text, kind)) in texts.iter().zip(kinds).enumerate() {
        bytes.clear();
        let is_sound = unescape(text, &mut bytes).is_some();
        match (kind, byte_name(text)) {
            (TokenType::Unused, _) => tokens.push(&[]),
            (TokenType::Byte, Some(byte)) => tokens.push(&[byte]),
            (TokenType::Normal, _) if !is_sound => {
                return Err(bad(format!("token {id}, `{}`, has a broken escape", shorten(text))));
            }
            (TokenType::Normal, _) => tokens.push(&bytes),
            // Special tokens are texts. What is none was not escaped.
            _ if is_sound && std::str::from_utf8(&bytes).is_ok() => tokens.push(&bytes),
            _ => tokens.push(text.as_bytes()),
        }
    }
    Ok(tokens)
}

/// The trie of the tokens that text may become.
fn trie_of(bytes: &TokenBytes, kinds: &[TokenType], texts: &[String]) -> Result<ByteTrie> {
    if u32::try_from(texts.len()).is_err() || u32::try_from(bytes.total()).is_err() {
        return Err(bad("it has more than 4294967295 tokens or bytes".into()));
    }
    let normal = (0u32..).zip(kinds).filter(|(_, kind)| **kind == TokenType::Normal);
    let mut sorted: Vec<(&[u8], u32)> = normal.map(|(id, _)| (bytes.get(id), id)).collect();
    if let Some((long, id)) = sorted.iter().find(|(bytes, _)| bytes.len() > MAX_BYTES) {
        return Err(bad(format!("token {id} has {} bytes, and at most {MAX_BYTES} are supported", long.len())));
    }
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let (first, second) = (pair[0].1, pair[1].1);
            Err(bad(format!("tokens {first} and {second} have the same text `{}`", shorten(&texts[first as usize]))))
        }
        None => Ok(ByteTrie::new(&sorted)),
    }
}

/// Appends the bytes that a token is written for, as Python writes bytes: `\t`, `\n`, `\r`, `\xHH`, and a backslash before any other
/// character stands for that character. Characters beyond ASCII stand for their UTF-8. `None` for half an escape.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        bytes.push(match escape {
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                16 * hex_digit(digits[0])? + hex_digit(digits[1])?
            }
            other => other,
        });
    }
    Some(())
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;
    use std::rc::Rc;

    use super::*;
    use crate::gguf::Gguf;
    use crate::source::FileSource;

    /// Ids of texts that are not UTF-8, by RWKV's own tokenizer.
    #[test]
    fn bytes_that_are_no_text_become_rwkvs_tokens() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/vocab");
        let source = Rc::new(FileSource::open(&folder.join("ggml-vocab-rwkv-world.gguf")).unwrap());
        let metadata = pollster::block_on(Gguf::open(vec![source])).unwrap().metadata;
        let (vocabulary, longest_match) = LongestMatch::from_metadata(&metadata).unwrap();
        let golden = std::fs::read_to_string(folder.join("bytes-and-special.json")).unwrap();
        let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
        let cases = golden["bytes"].as_array().unwrap();
        assert_eq!(cases.len(), 9);
        for case in cases {
            let hex = case["hex"].as_str().unwrap();
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            let mut ids = Vec::new();
            longest_match.encode(&bytes, &mut ids);
            assert_eq!(serde_json::to_value(&ids).unwrap(), case["ids"], "{hex}");
            assert_eq!(ids.iter().flat_map(|id| vocabulary.bytes(*id)).copied().collect::<Vec<_>>(), bytes);
        }
    }

    #[test]
    fn tokens_are_written_as_python_writes_bytes() {
        for (text, bytes) in [
            ("plain <s>", Some(&b"plain <s>"[..])),
            (r"\t\n\r\\\'", Some(b"\t\n\r\\'")),
            (r#"\"it's"#, Some(b"\"it's")),
            (r"\x00\xff\xFFx", Some(b"\x00\xff\xffx")),
            (r"\\x41\\n", Some(br"\x41\n")),
            (r"\u0041\é", Some("u0041é".as_bytes())),
            ("é日", Some("é日".as_bytes())),
            ("", Some(b"")),
            ("\\", None),
            (r"a\\\", None),
            (r"\x", None),
            (r"\x4", None),
            (r"\xg0", None),
            (r"\x+1", None),
            (r"\x4é", None),
        ] {
            let mut unescaped = Vec::new();
            let is_sound = unescape(text, &mut unescaped).is_some();
            assert_eq!(is_sound.then_some(&*unescaped), bytes, "{text}");
        }
    }
}
