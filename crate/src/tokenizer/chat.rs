//! Conversations to prompts, by the template that the file carries, or the format that it names.
//!
//! A Jinja template mixes markers and the contents of messages in one string. So that only its own markers become control tokens, the
//! contents are marked before rendering: wherever a control token could begin in a content, a character that occurs nowhere
//! else (a private-use one) is put right after the first character of it. The marks are taken out of the rendered text
//! again, and no control token may start at a marked character. Contents without such places, which is nearly all, go
//! through the template untouched, so the prompt is token for token that of the whole rendered string.
//!
//! Limits: a template sees the marks (`length` counts them, `startswith('<|…')` fails on a content that starts so), and
//! a template that itself makes a marker out of a content, by deleting from its middle or changing its case, is not guarded
//! against. Roles are only letters, digits, `_`, `-` and spaces, since templates put them inside markers.

use std::collections::BTreeSet;
use std::rc::Rc;

use ahash::AHashSet;
use serde::{Deserialize, Serialize};

use super::jinja::{Input, RenderOptions, Template};
use super::rwkv_world;
use super::special::SpecialTokens;
use super::tools::{self, ToolCall, ToolFormat, Tools};
use crate::error::{Error, Result};
use crate::gguf::Metadata;

/// For files without a template: the format that most small chat models were tuned on.
pub const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + \
                      '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// One turn of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user` or `assistant`, `tool` for a tool's result, and whatever else the template knows.
    pub role: String,
    /// What was said.
    pub content: String,
    /// Of the assistant: the calls that it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool: the call whose result it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl ChatMessage {
    /// A turn from anything that makes strings.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), ..Self::default() }
    }

    /// Whether it is the beginning of an answer, where it is the last one: the assistant has said it, and has called nothing.
    pub(super) fn is_begun_answer(&self) -> bool {
        self.role == super::ASSISTANT && self.tool_calls.is_empty()
    }
}

/// How a conversation is rendered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatOptions {
    /// Whether the answer begins with a thought.
    pub thinking: Thinking,
    /// What the model may call.
    pub tools: Tools,
}

impl From<Thinking> for ChatOptions {
    fn from(thinking: Thinking) -> Self {
        Self { thinking, ..Self::default() }
    }
}

/// Whether the answer of a conversation begins with a thought of the model. Each value but the first sets how the prompt ends,
/// whatever the file says of its model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// As [`Thinking::Skip`] where the model can think (see [`ChatTemplate::can_think`]), else as [`Thinking::Off`]. A Jinja
    /// template does what it does by itself.
    #[default]
    Auto,
    /// The prompt opens a thought: the model thinks before it answers.
    On,
    /// The prompt says nothing of thoughts.
    Off,
    /// The prompt has an empty thought, after which a model that would think answers at once.
    Skip,
}

/// What renders a conversation.
#[derive(Debug, Clone)]
pub(super) enum Format {
    Jinja(Rc<Template>),
    RwkvWorld,
}

/// A chat template that compiles.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    format: Format,
    can_think: bool,
    is_from_file: bool,
    /// Given by the caller, in place of the file's.
    is_own: bool,
    /// Names and texts of the special tokens that the file has, such as `bos_token`.
    special_tokens: Vec<(&'static str, String)>,
    now: Option<i64>,
}

/// A rendered prompt, and where in it control tokens must not start.
pub(super) struct GuardedText {
    pub(super) text: String,
    /// Byte offsets at which a character of a content starts that could begin a control token; sorted.
    forbidden: Vec<usize>,
}

impl GuardedText {
    pub(super) fn control_may_start(&self, offset: usize) -> bool {
        self.forbidden.binary_search(&offset).is_err()
    }
}

impl ChatTemplate {
    /// The template of a file. It is `rwkv-world` by that name; Jinja where it has a tag of it. Where the file has none, it is
    /// `rwkv-world` for an RWKV vocabulary, and else ChatML.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where it does not compile, and for another name.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let source = metadata.opt_string("tokenizer.chat_template")?.filter(|source| !source.trim().is_empty());
        Self::of(source, metadata)
    }

    /// A template of the caller's own, in place of that of a file: Jinja, or the name `rwkv-world`. What it refuses is the caller's
    /// to know, so it fails with an error of its own.
    ///
    /// # Errors
    /// [`Error::OwnChatTemplate`] where it does not compile, where it names a filter, a test or a function that there is not, and for
    /// another name.
    pub fn own(source: &str, metadata: &Metadata) -> Result<Self> {
        let template = Self::of(Some(source), metadata).map_err(own_failure)?;
        if let Format::Jinja(jinja) = &template.format {
            jinja.check_names().map_err(own_failure)?;
        }
        Ok(Self { is_own: true, ..template })
    }

    /// Whether a template of the caller's own is one, before there is a file to use it with.
    ///
    /// # Errors
    /// As of [`ChatTemplate::own`].
    pub fn check(source: &str) -> Result<()> {
        Self::own(source, &Metadata::default()).map(drop)
    }

    fn of(source: Option<&str>, metadata: &Metadata) -> Result<Self> {
        let format = Format::of(source, metadata)?;
        let can_think = match &format {
            Format::RwkvWorld => is_thinking_rwkv(metadata),
            Format::Jinja(_) => {
                source.is_some_and(|source| source.contains("<think>") || source.contains("enable_thinking"))
            }
        };
        let texts = metadata.strings("tokenizer.ggml.tokens").unwrap_or_default();
        // What is wrong with an id was noted where the vocabulary was read; here it means that there is no such token.
        let text = |key: &str| metadata.opt_u32(key).ok().flatten().and_then(|id| texts.get(id as usize)).cloned();
        let mut special_tokens = vec![
            ("bos_token", text("tokenizer.ggml.bos_token_id").unwrap_or_default()),
            ("eos_token", text("tokenizer.ggml.eos_token_id").unwrap_or_default()),
        ];
        special_tokens.extend(text("tokenizer.ggml.unknown_token_id").map(|text| ("unk_token", text)));
        special_tokens.extend(text("tokenizer.ggml.padding_token_id").map(|text| ("pad_token", text)));
        Ok(Self {
            source: source.unwrap_or_default().to_owned(),
            format,
            can_think,
            is_from_file: source.is_some(),
            is_own: false,
            special_tokens,
            now: None,
        })
    }

    /// Whether the model can think before it answers. Of a Jinja template: whether it has thoughts, `<think>`, or a switch for
    /// them. Of `rwkv-world`: whether the model is named as one of the G series (`RWKV7-G1`, `rwkv7-g1a-0.4b`) in `general.name`,
    /// `general.basename`, `general.finetune` or `general.version`, since nothing else in these files tells.
    pub fn can_think(&self) -> bool {
        self.can_think
    }

    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    /// Whether the file brought a template, or the caller. Where neither did, the model was probably not tuned for conversation.
    pub fn is_from_file(&self) -> bool {
        self.is_from_file
    }

    pub(super) fn set_now(&mut self, unix_seconds: i64) {
        self.now = Some(unix_seconds);
    }

    /// The prompt as text, for showing. It does not distinguish the template's markers from the same text in a content: to run
    /// it, use [`super::Tokenizer::encode_chat`].
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] where the template refuses the messages or runs too long; [`Error::NoTools`] for tools, or calls of
    /// them, where it has none.
    pub fn render(&self, messages: &[ChatMessage], add_generation_prompt: bool) -> Result<String> {
        self.render_with(messages, add_generation_prompt, &ChatOptions::default())
    }

    /// As [`ChatTemplate::render`], with or without a thought before the answer, and with tools.
    ///
    /// # Errors
    /// As of [`ChatTemplate::render`].
    pub fn render_with(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
        options: &ChatOptions,
    ) -> Result<String> {
        self.check_tools(messages, &options.tools)?;
        match &self.format {
            Format::Jinja(template) => {
                self.render_jinja(template, &self.context(messages, add_generation_prompt, options), None)
            }
            Format::RwkvWorld => rwkv_world::render(messages, add_generation_prompt, self.resolved(options.thinking))
                .map_err(|error| self.blame(error)),
        }
    }

    /// The text that [`super::Tokenizer::encode_chat_with`] reads: an answer that has begun is left open.
    ///
    /// # Errors
    /// As of [`ChatTemplate::render`]; [`Error::EmptyPrompt`] without messages.
    pub fn render_prompt(&self, messages: &[ChatMessage], options: &ChatOptions) -> Result<String> {
        let (before, begun) = match messages.split_last() {
            None => return Err(Error::EmptyPrompt),
            Some((last, before)) if last.is_begun_answer() && !before.is_empty() => (before, &*last.content),
            Some(_) => return self.render_with(messages, true, options),
        };
        match &self.format {
            Format::Jinja(_) => {
                let text = self.render_with(before, true, options)?;
                let opened = super::answer::opened_thought(&text).and_then(|opening| begun.strip_prefix(opening));
                Ok(text + opened.unwrap_or(begun))
            }
            Format::RwkvWorld if begun.trim().is_empty() => self.render_with(before, true, options),
            Format::RwkvWorld => {
                self.check_tools(before, &options.tools)?;
                let (before, begun) = rwkv_world::render_begun(before, begun, self.resolved(options.thinking))?;
                Ok(before + &begun)
            }
        }
    }

    /// How the template has a model call tools; `None` where it has none, and where it writes calls in another form.
    pub fn tool_format(&self) -> Option<ToolFormat> {
        let (messages, tools) = tools::probe();
        let with = ChatOptions { tools, ..ChatOptions::default() };
        let called = self.render_with(&messages, false, &with).ok()?;
        let (asked, plain) =
            (self.render_with(&messages[..1], true, &with).ok()?, self.render(&messages[..1], true).ok());
        // One that says nothing of the tools has none, whatever it makes of calls.
        tools::format_of(&called, &asked).filter(|_| plain != Some(asked))
    }

    /// # Errors
    /// [`Error::NoTools`] where the template would pass over the tools, or over calls.
    pub(super) fn check_tools(&self, messages: &[ChatMessage], tools: &Tools) -> Result<()> {
        let asked = [
            ("tools", !tools.is_empty()),
            ("tool_calls", messages.iter().any(|message| !message.tool_calls.is_empty())),
        ];
        let has = |name: &str| matches!(self.format, Format::Jinja(_)) && self.source.contains(name);
        if asked.iter().any(|&(name, is_asked)| is_asked && !has(name)) { Err(Error::NoTools) } else { Ok(()) }
    }

    /// The template as the file or the caller has it, or the name of its format; `None` where there is none.
    pub fn source(&self) -> Option<&str> {
        self.is_from_file.then_some(self.source.as_str())
    }

    /// How a prompt of the format `rwkv-world` ends.
    pub(super) fn resolved(&self, thinking: Thinking) -> Thinking {
        match thinking {
            Thinking::Auto if self.can_think => Thinking::Skip,
            other => other,
        }
    }

    /// A text that is part of a message, as it is in a prompt.
    pub(super) fn content_in_prompt(&self, text: &str) -> String {
        match &self.format {
            Format::Jinja(_) => text.to_owned(),
            Format::RwkvWorld => rwkv_world::without_blank_lines(text),
        }
    }

    /// What a template sees.
    fn context(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
        options: &ChatOptions,
    ) -> Vec<(&'static str, Input)> {
        let ChatOptions { thinking, tools } = options;
        // As transformers gives them where there are none; templates ask `tools is not none`.
        let tools = if tools.is_empty() { Input::None } else { Input::List(tools.0.clone()) };
        let messages = (0..messages.len()).map(|at| message_input(&messages[..=at])).collect();
        let mut context = vec![
            ("messages", Input::List(messages)),
            ("tools", tools),
            ("documents", Input::None),
            ("add_generation_prompt", Input::Bool(add_generation_prompt)),
        ];
        context.extend(self.special_tokens.iter().map(|(name, token)| (*name, Input::Text(token.clone()))));
        // The name that most families' templates have for the switch.
        context.extend(thinking.switch().map(|on| ("enable_thinking", Input::Bool(on))));
        context
    }

    fn render_jinja(
        &self,
        template: &Template,
        context: &[(&'static str, Input)],
        mark: Option<char>,
    ) -> Result<String> {
        template.render(context, RenderOptions { now: self.now, mark }).map_err(|error| self.blame(error))
    }

    /// A failure of this template, by whose it is.
    fn blame(&self, error: Error) -> Error {
        if self.is_own { own_failure(error) } else { error }
    }

    /// The prompt of a conversation for generation, by a Jinja template.
    pub(super) fn render_guarded(
        &self,
        template: &Template,
        messages: &[ChatMessage],
        options: &ChatOptions,
        specials: &SpecialTokens,
    ) -> Result<GuardedText> {
        self.check_tools(messages, &options.tools)?;
        if let Some(message) = messages.iter().find(|message| !is_plain_role(&message.role)) {
            let role: String = message.role.chars().take(40).collect();
            let problem = format!("the role `{role}` has characters other than letters, digits, `_`, `-` and spaces");
            return Err(self.blame(Error::ChatTemplate { problem }));
        }
        let starts: AHashSet<(char, Option<char>)> = specials.control_texts().filter_map(first_two).collect();
        let mut context = self.context(messages, true, options);
        let mark = self.unused_character(&context, specials)?;
        for (name, value) in context.iter_mut().filter(|(name, _)| matches!(*name, "messages" | "tools")) {
            let given = std::mem::replace(value, Input::None);
            *value = match (*name, given) {
                ("messages", Input::List(messages)) => {
                    Input::List(messages.into_iter().map(|message| marked_message(message, mark, &starts)).collect())
                }
                (_, given) => given.with_texts(&|text| mark_starts(text, mark, &starts)),
            };
        }
        Ok(unmark(&self.render_jinja(template, &context, Some(mark))?, mark))
    }

    /// A private-use character that no message, no tool, no control token and no text of the template contains.
    fn unused_character(&self, context: &[(&'static str, Input)], specials: &SpecialTokens) -> Result<char> {
        let private = |c: &char| matches!(c, '\u{E000}'..='\u{F8FF}');
        let mut texts: Vec<&str> = specials.control_texts().chain([self.source.as_str()]).collect();
        context.iter().for_each(|(_, value)| value.see_texts(&mut |text| texts.push(text)));
        let used: BTreeSet<char> = texts.into_iter().flat_map(str::chars).filter(private).collect();
        ('\u{E000}'..='\u{F8FF}').find(|c| !used.contains(c)).ok_or_else(|| Error::ChatTemplate {
            problem: "the messages use every private-use character, and one is needed to keep them apart".into(),
        })
    }
}

/// The last of these messages as templates have it. A tool's result has the tool's name too, which the call with its id says.
fn message_input(messages: &[ChatMessage]) -> Input {
    let Some((message, before)) = messages.split_last() else { return Input::None };
    let text = |text: &str| Input::Text(text.to_owned());
    let mut fields = vec![("role".into(), text(&message.role)), ("content".into(), text(&message.content))];
    if !message.tool_calls.is_empty() {
        fields.push(("tool_calls".into(), Input::List(message.tool_calls.iter().map(ToolCall::input).collect())));
    }
    if let Some(id) = &message.tool_call_id {
        let mut calls = before.iter().rev().flat_map(|message| &message.tool_calls);
        fields.extend(calls.find(|call| call.id == *id).map(|call| ("name".into(), text(&call.name))));
        fields.push(("tool_call_id".into(), text(id)));
    }
    Input::Map(fields)
}

/// A message whose texts carry marks: all but its role, which is compared, and the names of its fields.
fn marked_message(message: Input, mark: char, starts: &AHashSet<(char, Option<char>)>) -> Input {
    let Input::Map(fields) = message else { return message };
    let marked = |(name, value): (String, Input)| match name.as_str() {
        "role" => (name, value),
        _ => (name, value.with_texts(&|text| mark_starts(text, mark, starts))),
    };
    Input::Map(fields.into_iter().map(marked).collect())
}

impl Thinking {
    /// What a template's switch is set to, where it is.
    fn switch(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::On => Some(true),
            Self::Off | Self::Skip => Some(false),
        }
    }
}

impl Format {
    fn of(source: Option<&str>, metadata: &Metadata) -> Result<Self> {
        let is_rwkv = metadata.opt_string("tokenizer.ggml.model").ok().flatten() == Some("rwkv");
        match source {
            Some(source) if source.trim() == rwkv_world::NAME => Ok(Self::RwkvWorld),
            Some(source) if is_rwkv && source.contains(rwkv_world::JINJA_LINE) => Ok(Self::RwkvWorld),
            Some(source) if source.contains("{{") || source.contains("{%") => {
                Ok(Self::Jinja(Rc::new(Template::new(source)?)))
            }
            Some(name) => {
                let name: String = name.trim().chars().take(40).collect();
                let known = rwkv_world::NAME;
                let problem = format!("`{name}` is no Jinja template, and as a name only `{known}` is known");
                Err(Error::ChatTemplate { problem })
            }
            None if is_rwkv => Ok(Self::RwkvWorld),
            None => Ok(Self::Jinja(Rc::new(Template::new(CHATML)?))),
        }
    }
}

fn own_failure(error: Error) -> Error {
    match error {
        Error::ChatTemplate { problem } => Error::OwnChatTemplate { problem },
        other => other,
    }
}

/// Whether a file is named as one of the models that think, the G series: `G1`, `g1a`, `G0`.
fn is_thinking_rwkv(metadata: &Metadata) -> bool {
    let keys = ["general.name", "general.basename", "general.finetune", "general.version"];
    let texts = keys.iter().filter_map(|key| metadata.opt_string(key).ok().flatten());
    let mut words = texts.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    words.any(|word| {
        let mut letters = word.bytes();
        let series = (letters.next(), letters.next(), letters.next(), letters.next());
        matches!(series, (Some(b'g' | b'G'), Some(b'0'..=b'9'), None, None))
            || matches!(series, (Some(b'g' | b'G'), Some(b'0'..=b'9'), Some(b'a'..=b'z' | b'A'..=b'Z'), None))
    })
}

fn is_plain_role(role: &str) -> bool {
    !role.is_empty() && role.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '))
}

fn first_two(text: &str) -> Option<(char, Option<char>)> {
    let mut chars = text.chars();
    Some((chars.next()?, chars.next()))
}

/// Puts `mark` after each character that could begin a control token: by itself, with the next one, or, where only white
/// space (that a template may trim) or nothing follows, with what the template writes after it.
fn mark_starts(content: &str, mark: char, starts: &AHashSet<(char, Option<char>)>) -> String {
    let firsts: AHashSet<char> = starts.iter().map(|(first, _)| *first).collect();
    let mut marked = String::with_capacity(content.len());
    let mut chars = content.chars().peekable();
    while let Some(char) = chars.next() {
        marked.push(char);
        if !firsts.contains(&char) {
            continue;
        }
        let next = chars.peek().copied();
        let at_the_end = next.is_none_or(char::is_whitespace);
        if at_the_end || starts.contains(&(char, None)) || starts.contains(&(char, next)) {
            marked.push(mark);
        }
    }
    marked
}

fn unmark(marked: &str, mark: char) -> GuardedText {
    let mut text = String::with_capacity(marked.len());
    let mut forbidden = Vec::new();
    for part in marked.split_inclusive(mark) {
        match part.strip_suffix(mark) {
            Some(part) => {
                text.push_str(part);
                let last = text.chars().next_back().map_or(0, char::len_utf8);
                forbidden.push(text.len() - last);
            }
            None => text.push_str(part),
        }
    }
    GuardedText { text, forbidden }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_where_a_control_token_could_begin_and_come_out_again() {
        let starts = [('<', Some('|')), ('#', None)].into();
        let check = |content: &str, expected: &str| {
            let marked = mark_starts(content, '!', &starts);
            assert_eq!(marked, expected);
            let guarded = unmark(&marked, '!');
            assert_eq!(guarded.text, content);
            for (offset, _) in marked.match_indices('!').enumerate().map(|(n, (at, _))| (at - n - 1, ())) {
                assert!(!guarded.control_may_start(offset));
            }
        };
        check("harmless <b> é", "harmless <b> é");
        check("<|im_end|> é <|", "<!|im_end|> é <!|");
        check("<<|a", "<<!|a");
        check("a#b <", "a#!b <!");
        check("a < b", "a <! b");
    }

    #[test]
    fn a_dangling_mark_does_not_disarm_the_templates_own_token() {
        let guarded = unmark("x<!<|im_end|>", '!');
        assert!(guarded.control_may_start(2));
        assert_eq!(unmark("!<|im_end|>", '!').text, "<|im_end|>");
    }

    #[test]
    fn roles_cannot_carry_markers() {
        assert!(["user", "tool_response", "Rolle 2"].iter().all(|role| is_plain_role(role)));
        assert!(["", "<|im_end|>", "user\n", "a|b"].iter().all(|role| !is_plain_role(role)));
    }
}
