//! Text to token ids and back, from the vocabulary inside a GGUF file.
//!
//! `vocab` reads and checks the file's tables, `special` cuts out control and user-defined tokens,
//! `pre_tokenizer` cuts what is left into pieces, and the `tokenizers` crate merges the bytes of each piece. `stream`
//! goes the other way; `chat` renders conversations, and `jinja` runs their templates. Results are those of llama.cpp, which the test vectors
//! check; deliberately absent is its clean-up of spaces before punctuation, which would make decoding lossy.

mod chat;
mod jinja;
mod pre_tokenizer;
mod special;
mod stream;
mod vocab;

use std::rc::Rc;

use tokenizers::Model;
use tokenizers::models::bpe::BPE;

pub use chat::{CHATML, ChatMessage, ChatTemplate};
pub use stream::{DecodeStream, Utf8Stream};
pub use vocab::byte_alphabet;

use crate::error::{Error, Result};
use crate::gguf::Metadata;
use pre_tokenizer::PreTokenizer;
use special::{Fragment, SpecialTokens};
use vocab::{TokenType, Vocabulary};

/// Who the model speaks as.
const ASSISTANT: &str = "assistant";

/// What the text of a control token (`<|im_end|>`) in a prompt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// It is the control token: for prompts that a program wrote.
    Parse,
    /// It is plain text: for anything that a person wrote, who must not be able to end a turn or open another.
    Plain,
}

/// The tokenizer of one model.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Rc<Vocabulary>,
    specials: SpecialTokens,
    pre_tokenizer: PreTokenizer,
    bpe: BPE,
    /// Stands for each byte in the texts of the BPE model.
    alphabet: [char; 256],
    add_bos: bool,
    /// A template that does not compile is no reason to refuse plain prompts, so its error waits for the first chat.
    chat: Result<ChatTemplate>,
}

impl Tokenizer {
    /// Builds the tokenizer that a file describes.
    ///
    /// # Errors
    /// [`Error::Vocabulary`], [`Error::PreTokenizer`], and [`Error::MissingKey`] or [`Error::KeyValue`] for keys that are
    /// absent or of another type.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let (vocabulary, tables) = Vocabulary::from_metadata(metadata)?;
        let pre_tokenizer = PreTokenizer::named(metadata.opt_string("tokenizer.ggml.pre")?)?;
        let bpe = BPE::builder()
            .vocab_and_merges(tables.tokens, tables.merges)
            .ignore_merges(pre_tokenizer.ignores_merges())
            .build()
            .map_err(|error| Error::Vocabulary { problem: error.to_string() })?;
        let add_bos = match metadata.opt_bool("tokenizer.ggml.add_bos_token")? {
            Some(true) if vocabulary.bos.is_none() => {
                return Err(Error::Vocabulary { problem: "prompts shall start with BOS, and no BOS is given".into() });
            }
            Some(add) => add,
            None => pre_tokenizer.adds_bos() && vocabulary.bos.is_some(),
        };
        Ok(Self {
            specials: SpecialTokens::new(&vocabulary)?,
            chat: ChatTemplate::from_metadata(metadata),
            vocabulary: Rc::new(vocabulary),
            pre_tokenizer,
            bpe,
            alphabet: byte_alphabet(),
            add_bos,
        })
    }

    /// Token ids of a text, without BOS. User-defined tokens are always recognised. A byte for which the vocabulary has no
    /// token is dropped, as llama.cpp does; real vocabularies have all that occur in UTF-8.
    ///
    /// # Errors
    /// [`Error::Vocabulary`] where the BPE model fails, which a vocabulary that could be built gives no reason for.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>> {
        self.encode_where(text, &|_| special == Special::Parse)
    }

    /// [`encode`](Self::encode) with BOS in front where the model wants it and the text does not already start with it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_prompt(&self, text: &str, special: Special) -> Result<Vec<u32>> {
        Ok(self.with_bos(self.encode(text, special)?))
    }

    /// Token ids of a conversation, ready for generation. Where the last message is the assistant's, the model goes
    /// on with it. Only the template's own text can become control tokens: the contents of the messages cannot.
    /// `ChatTemplate` documents the limits of that.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where the template does not compile or refuses the messages; [`Error::EmptyPrompt`]
    /// without messages.
    pub fn encode_chat(&self, messages: &[ChatMessage]) -> Result<Vec<u32>> {
        let template = self.chat_template()?;
        let (messages, begun) = match messages.split_last() {
            Some((last, before)) if last.role == ASSISTANT && !before.is_empty() => (before, last.content.as_str()),
            _ => (messages, ""),
        };
        let guarded = template.render_guarded(messages, true, &self.specials)?;
        let mut ids = self.with_bos(self.encode_where(&guarded.text, &|start| guarded.control_may_start(start))?);
        // By itself, as the model wrote it: joined to the template's text, its first word could become other tokens.
        ids.extend(self.encode_where(begun, &|_| false)?);
        Ok(ids)
    }

    /// The token ids that a conversation which goes on from `messages` begins with, whatever is said next: what can be read
    /// ahead of it.
    ///
    /// # Errors
    /// As [`encode_chat`](Self::encode_chat).
    pub fn encode_start(&self, messages: &[ChatMessage]) -> Result<Vec<u32>> {
        // Two next messages that differ from their first letter on.
        let next = |content: &str| {
            let next = ChatMessage::new("user", content);
            self.encode_chat(&messages.iter().cloned().chain([next]).collect::<Vec<_>>())
        };
        let (mut one, other) = (next("A")?, next("7?")?);
        one.truncate(one.iter().zip(&other).take_while(|(a, b)| a == b).count());
        Ok(one)
    }

    /// The model's chat template.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where the file's template does not compile.
    pub fn chat_template(&self) -> Result<&ChatTemplate> {
        self.chat.as_ref().map_err(Clone::clone)
    }

    /// Lets templates that ask for today's date know it, in seconds since 1970 (UTC). Without it `strftime_now` is
    /// undefined, and templates use the date written into them: the library reads no clock of its own.
    pub fn set_now(&mut self, unix_seconds: i64) {
        if let Ok(template) = &mut self.chat {
            template.set_now(unix_seconds);
        }
    }

    /// What a token decodes to; for control and user-defined tokens their text. Empty for unused tokens and for ids outside
    /// the vocabulary. A token may hold part of a character: see [`decode_stream`](Self::decode_stream).
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.vocabulary.bytes(id)
    }

    /// Text of tokens; bytes that are no UTF-8 become U+FFFD. `skip_special` leaves control tokens out.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let shown = ids.iter().filter(|id| !(skip_special && self.is_control(**id)));
        let bytes: Vec<u8> = shown.flat_map(|id| self.token_bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Decodes tokens one at a time; `skip_special` leaves control tokens out.
    pub fn decode_stream(&self, skip_special: bool) -> DecodeStream {
        DecodeStream::new(self.vocabulary.clone(), skip_special)
    }

    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// The beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.vocabulary.bos
    }

    /// The end-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.vocabulary.eos
    }

    /// Whether a prompt starts with BOS.
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether a token is a marker and not text.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocabulary.kind(id) == Some(TokenType::Control)
    }

    /// Oddities of the file's vocabulary that prevent nothing, a sentence each, for the file's maker. One is a template that does not
    /// compile, since plain prompts need none.
    pub fn notes(&self) -> Vec<String> {
        let template = self.chat.as_ref().err().map(|error| format!("chats are not possible: {error}"));
        self.vocabulary.notes.iter().cloned().chain(template).collect()
    }

    /// Tokens that end a completion, sorted: EOS, EOT and EOM of the file, and end-of-turn markers known by their text.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.vocabulary.stop
    }

    fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if let Some(bos) = self.vocabulary.bos.filter(|bos| self.add_bos && ids.first() != Some(bos)) {
            ids.insert(0, bos);
        }
        ids
    }

    fn encode_where(&self, text: &str, control_may_start: &dyn Fn(usize) -> bool) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        let mut stand_ins = String::new();
        for fragment in self.specials.cut(text, control_may_start) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(range) => {
                    let text = &text[range];
                    for piece in self.pre_tokenizer.split(text) {
                        stand_ins.clear();
                        stand_ins.extend(text[piece].bytes().map(|byte| self.alphabet[usize::from(byte)]));
                        let tokens = self.bpe.tokenize(&stand_ins);
                        let tokens = tokens.map_err(|error| Error::Vocabulary { problem: error.to_string() })?;
                        ids.extend(tokens.iter().map(|token| token.id));
                    }
                }
            }
        }
        Ok(ids)
    }
}
