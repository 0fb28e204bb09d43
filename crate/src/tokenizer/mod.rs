//! Text to token ids and back, from the vocabulary inside a GGUF file.
//!
//! `vocab` reads and checks what all vocabularies have, and `special` cuts out control and user-defined tokens. What is left becomes
//! tokens by one of two ways: `bpe` cuts it into pieces (`pre_tokenizer`) whose bytes the `tokenizers` crate merges; `rwkv` takes the
//! longest token each time, by a trie (`byte_trie`). `stream` goes the other way. `chat` renders conversations, with `tools`:
//! `jinja` runs the templates of files, and `rwkv_world` is a format that files give only the name of. Results are those of llama.cpp, which the test
//! vectors check; deliberately absent is its clean-up of spaces before punctuation, which would make decoding lossy.

mod answer;
mod bpe;
mod byte_trie;
mod chat;
mod jinja;
mod pre_tokenizer;
mod rwkv;
mod rwkv_world;
mod special;
mod stream;
mod token_table;
mod tools;
mod vocab;

use std::rc::Rc;

pub use answer::AnswerStart;
pub use bpe::byte_alphabet;
pub use chat::{CHATML, ChatMessage, ChatOptions, ChatTemplate, Thinking};
pub use stream::{DecodeStream, Utf8Stream};
pub use tools::{ToolCall, ToolFormat, Tools};

use crate::error::{Error, Result};
use crate::gguf::Metadata;
use bpe::ByteLevelBpe;
use chat::Format;
use rwkv::LongestMatch;
use special::{Fragment, SpecialTokens};
use vocab::{TokenType, Vocabulary, bad};

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

/// What makes tokens of text without special tokens, by `tokenizer.ggml.model`.
#[derive(Debug)]
enum TextEncoder {
    Bpe(Box<ByteLevelBpe>),
    Rwkv(Box<LongestMatch>),
}

/// The tokenizer of one model.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Rc<Vocabulary>,
    specials: SpecialTokens,
    text_encoder: TextEncoder,
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
        let (vocabulary, text_encoder) = match metadata.string("tokenizer.ggml.model")? {
            "gpt2" => {
                let (vocabulary, bpe) = ByteLevelBpe::from_metadata(metadata)?;
                (vocabulary, TextEncoder::Bpe(Box::new(bpe)))
            }
            "rwkv" => {
                let (vocabulary, longest_match) = LongestMatch::from_metadata(metadata)?;
                (vocabulary, TextEncoder::Rwkv(Box::new(longest_match)))
            }
            other => {
                let supported = "only `gpt2` (byte-level BPE) and `rwkv` (RWKV World) are supported";
                return Err(bad(format!("its kind is `{}`, and {supported}", vocab::shorten(other))));
            }
        };
        let add_bos = match metadata.opt_bool("tokenizer.ggml.add_bos_token")? {
            Some(true) if vocabulary.bos.is_none() => {
                return Err(bad("prompts shall start with BOS, and no BOS is given".into()));
            }
            Some(add) => add,
            None => text_encoder.adds_bos() && vocabulary.bos.is_some(),
        };
        Ok(Self {
            specials: SpecialTokens::new(&vocabulary)?,
            chat: ChatTemplate::from_metadata(metadata),
            vocabulary: Rc::new(vocabulary),
            text_encoder,
            add_bos,
        })
    }

    /// Token ids of a text, without BOS. User-defined tokens are always recognised. A byte for which the vocabulary has no
    /// token is dropped, as llama.cpp does; real vocabularies have all that occur in UTF-8. An RWKV vocabulary has control tokens
    /// that no text becomes, as in RWKV's own tokenizers, [`Special::Parse`] or not.
    ///
    /// # Errors
    /// [`Error::Vocabulary`] where the BPE model fails, which a vocabulary that could be built gives no reason for.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>> {
        let parse = special == Special::Parse && self.text_encoder.texts_name_tokens();
        if parse || self.specials.has_user_defined() {
            return self.encode_where(text, &|_| parse);
        }
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.text_encoder.encode(text, &mut ids)?;
        Ok(ids)
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
    /// [`Error::ChatTemplate`] where the template does not compile or refuses the messages; [`Error::NoTools`] for tools, or calls of
    /// them, where it has none; [`Error::EmptyPrompt`] without messages.
    pub fn encode_chat(&self, messages: &[ChatMessage]) -> Result<Vec<u32>> {
        self.encode_chat_with(messages, &ChatOptions::default())
    }

    /// As [`encode_chat`](Self::encode_chat), with or without a thought before the answer, and with tools. An answer that has begun
    /// decides by itself whether it has a thought.
    ///
    /// # Errors
    /// As of [`encode_chat`](Self::encode_chat).
    pub fn encode_chat_with(&self, messages: &[ChatMessage], options: &ChatOptions) -> Result<Vec<u32>> {
        let template = self.chat_template()?;
        let (messages, begun) = match messages.split_last() {
            Some((last, before)) if last.is_begun_answer() && !before.is_empty() => (before, last.content.as_str()),
            _ => (messages, ""),
        };
        if messages.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let (mut ids, begun) = match template.format() {
            Format::Jinja(jinja) => {
                let guarded = template.render_guarded(jinja, messages, options, &self.specials)?;
                // A thought that the template opens is part of the answer's text, and so is there already.
                let opened = answer::opened_thought(&guarded.text).and_then(|opening| begun.strip_prefix(opening));
                let ids = self.encode_where(&guarded.text, &|start| guarded.control_may_start(start))?;
                (ids, opened.unwrap_or(begun).to_owned())
            }
            Format::RwkvWorld if begun.trim().is_empty() => {
                (self.encode(&template.render_with(messages, true, options)?, Special::Plain)?, String::new())
            }
            Format::RwkvWorld => {
                template.check_tools(messages, &options.tools)?;
                let (before, begun) = rwkv_world::render_begun(messages, begun, template.resolved(options.thinking))?;
                (self.encode(&before, Special::Plain)?, begun)
            }
        };
        ids = self.with_bos(ids);
        // By itself, as the model wrote it: joined to the template's text, its first word could become other tokens.
        ids.extend(self.encode(&begun, Special::Plain)?);
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

    /// Has conversations rendered by a template of the caller's own: see [`ChatTemplate::own`]. `metadata` is the file's, whose special
    /// tokens it can write.
    ///
    /// # Errors
    /// As of [`ChatTemplate::own`].
    pub fn set_chat_template(&mut self, source: &str, metadata: &Metadata) -> Result<()> {
        self.chat = Ok(ChatTemplate::own(source, metadata)?);
        Ok(())
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

    /// The control token of this name.
    pub fn control_token(&self, name: &str) -> Option<u32> {
        (0..self.vocab_size() as u32).find(|&id| self.is_control(id) && self.token_bytes(id) == name.as_bytes())
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

    /// How many of a prompt's tokens, whose texts together are `prompt`, stay as they are whatever follows the text that ends at
    /// `end` and begins at `start`.
    pub(crate) fn settled_tokens(&self, tokens: &[u32], prompt: &str, start: usize, end: usize) -> usize {
        let stays: &dyn Fn(usize, usize) -> bool = match &self.text_encoder {
            TextEncoder::Bpe(_) => {
                let sure = end - bpe::joinable_bytes(&prompt[start..end]);
                &move |_, token_end| token_end <= sure
            }
            TextEncoder::Rwkv(longest_match) => &move |token_start, token_end| {
                token_end <= end && !longest_match.may_grow(&prompt.as_bytes()[token_start..end])
            },
        };
        let mut token_end = 0;
        let places = tokens.iter().map(|&token| {
            let token_start = token_end;
            token_end += self.token_bytes(token).len();
            (token_start, token_end)
        });
        places.take_while(|&(start, end)| stays(start, end)).count()
    }

    /// A text that is part of a message, as it is in the prompt of a conversation.
    pub(crate) fn content_in_prompt(&self, text: &str) -> String {
        self.chat.as_ref().map_or_else(|_| text.to_owned(), |template| template.content_in_prompt(text))
    }

    fn with_bos(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if let Some(bos) = self.vocabulary.bos.filter(|bos| self.add_bos && ids.first() != Some(bos)) {
            ids.insert(0, bos);
        }
        ids
    }

    fn encode_where(&self, text: &str, control_may_start: &dyn Fn(usize) -> bool) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        for fragment in self.specials.cut(text, control_may_start) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(range) => self.text_encoder.encode(&text[range], &mut ids)?,
            }
        }
        Ok(ids)
    }
}

impl TextEncoder {
    fn adds_bos(&self) -> bool {
        match self {
            Self::Bpe(bpe) => bpe.adds_bos(),
            Self::Rwkv(_) => false,
        }
    }

    /// Whether the text of a control token in a prompt can mean the token.
    fn texts_name_tokens(&self) -> bool {
        matches!(self, Self::Bpe(_))
    }

    fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        match self {
            Self::Bpe(bpe) => bpe.encode(text, ids),
            Self::Rwkv(longest_match) => {
                longest_match.encode(text.as_bytes(), ids);
                Ok(())
            }
        }
    }
}
