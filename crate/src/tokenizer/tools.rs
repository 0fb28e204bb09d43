//! Tools that a model may call: what a template is given of them, and in which form it has the model write a call.
//!
//! The form is not guessed from a family's name. A conversation with a call is rendered, and what the template wrote of the call
//! is looked at.

use serde::{Deserialize, Serialize};

use super::ChatMessage;
use super::jinja::Input;
use crate::error::{Error, Result};

/// The tools of a conversation, as templates have them: a list of `{"type": "function", "function": {"name", "description",
/// "parameters"}}`, whose parameters are a JSON schema. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Tools(pub(super) Vec<Input>);

impl Tools {
    /// From JSON: a list of objects.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is none.
    pub fn from_json(json: &str) -> Result<Self> {
        let wrong = |found: String| Error::InvalidArgument {
            argument: "tools".into(),
            found,
            expected: "an array of tools, each an object with type and function",
        };
        let tools: Self = serde_json::from_str(json).map_err(|error| wrong(format!("no such JSON: {error}")))?;
        match tools.0.iter().position(|tool| !matches!(tool, Input::Map(_))) {
            Some(at) => Err(wrong(format!("something else at place {at}"))),
            None => Ok(tools),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A call of a tool that the assistant has made. In JSON it has OpenAI's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenCall", into = "WrittenCall")]
pub struct ToolCall {
    /// What the message with its result names it by. Mistral's templates want 9 letters and digits.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// JSON. A template is given the value; of what is no JSON, the text.
    pub arguments: String,
}

impl ToolCall {
    pub(super) fn input(&self) -> Input {
        let text = |text: &str| Input::Text(text.to_owned());
        let arguments = serde_json::from_str(&self.arguments).unwrap_or_else(|_| text(&self.arguments));
        let function = Input::Map(vec![("name".into(), text(&self.name)), ("arguments".into(), arguments)]);
        Input::Map(vec![
            ("id".into(), text(&self.id)),
            ("type".into(), text("function")),
            ("function".into(), function),
        ])
    }
}

/// A [`ToolCall`] in JSON.
#[derive(Serialize, Deserialize)]
struct WrittenCall {
    id: String,
    #[serde(rename = "type", default)]
    kind: CallKind,
    function: CalledFunction,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CallKind {
    #[default]
    Function,
}

#[derive(Serialize, Deserialize)]
struct CalledFunction {
    name: String,
    arguments: String,
}

impl From<WrittenCall> for ToolCall {
    fn from(WrittenCall { id, function, .. }: WrittenCall) -> Self {
        Self { id, name: function.name, arguments: function.arguments }
    }
}

impl From<ToolCall> for WrittenCall {
    fn from(ToolCall { id, name, arguments }: ToolCall) -> Self {
        Self { id, kind: CallKind::Function, function: CalledFunction { name, arguments } }
    }
}

/// How a model writes calls of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolFormat {
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`, once a call: Hermes, Qwen.
    Hermes,
    /// `{"name": …, "parameters": …}` as all of the answer: Llama 3.
    Llama,
    /// `[TOOL_CALLS][{"name": …, "arguments": …}, …]`: Mistral.
    Mistral,
}

impl ToolFormat {
    /// What stands before a call, or before a list of them.
    pub(crate) fn opening(self) -> &'static str {
        match self {
            Self::Hermes => "<tool_call>",
            Self::Llama => "",
            Self::Mistral => "[TOOL_CALLS]",
        }
    }
}

/// A name that no template has.
const PROBE: &str = "probe_of_a_call";

/// A conversation with a call, and the tool that it calls.
pub(super) fn probe() -> (Vec<ChatMessage>, Tools) {
    let call = ToolCall { id: "call00001".into(), name: PROBE.into(), arguments: r#"{"place": "x"}"#.into() };
    let messages = vec![
        ChatMessage::new("user", "Hi"),
        ChatMessage { tool_calls: vec![call], ..ChatMessage::new(super::ASSISTANT, "") },
    ];
    let tool = r#"[{"type": "function", "function": {"name": "tool", "description": "A tool.", "parameters":
        {"type": "object", "properties": {"place": {"type": "string", "description": "A place."}}, "required": ["place"]}}}]"#;
    (messages, Tools::from_json(tool).unwrap_or_default())
}

/// The format of the call in the rendered [`probe`]; `None` for another one. `prompt` is what an answer to its first message follows.
pub(super) fn format_of(rendered: &str, prompt: &str) -> Option<ToolFormat> {
    let name = rendered.rfind(PROBE)?;
    let before = stripped(&rendered[..name], &["\"", ":", "\"name\"", "{"])?;
    let (_, after) = rendered[name + PROBE.len()..].split_once(',')?;
    let is = |key: &str| after.trim_start().starts_with(key);
    match before {
        _ if before.ends_with("<tool_call>") => is("\"arguments\"").then_some(ToolFormat::Hermes),
        _ if stripped(before, &["[", "[TOOL_CALLS]"]).is_some() => is("\"arguments\"").then_some(ToolFormat::Mistral),
        _ => (before == prompt.trim_end() && is("\"parameters\"")).then_some(ToolFormat::Llama),
    }
}

/// A text without what it ends with, last first, and without the white space around that.
fn stripped<'t>(text: &'t str, ends: &[&str]) -> Option<&'t str> {
    ends.iter().try_fold(text, |text, end| Some(text.trim_end().strip_suffix(end)?.trim_end()))
}
