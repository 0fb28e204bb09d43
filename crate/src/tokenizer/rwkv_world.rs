//! The chat format of RWKV World and G1 models, which files give the name of (`rwkv-world`) and no template: plain text
//! without control tokens.
//!
//! ```text
//! System: {text}\n\nUser: {text}\n\nAssistant: {text}\n\nUser: {text}\n\nAssistant:
//! ```
//!
//! A blank line ends a turn, so a text of the system or the user must hold none: each becomes one line break. Nothing follows the
//! last colon: the space after it belongs to the model's first token. A thought of the model is `<think>…</think>` at the start of
//! its turn; the prompt opens it, or puts an empty one there for models that think unless they seem to have done so. Its last `>` is
//! always the model's. Turns that are over lose their thoughts.

use super::chat::{ChatMessage, Thinking};
use crate::error::{Error, Result};

/// What files name the format by.
pub(super) const NAME: &str = "rwkv-world";

/// A line of the Jinja template that some files have for this format; llama.cpp knows it by that.
pub(super) const JINJA_LINE: &str = r"{{- 'User: ' + message['content']|trim + '\n\n' -}}";

const ASSISTANT: &str = "Assistant:";
const BLANK_LINE: &str = "\n\n";

/// What ends an answer without a thought.
pub(super) const SHORT_ENDS: &[&str] = &[BLANK_LINE];

/// What ends an answer with a thought, which has paragraphs: the start of another turn.
pub(super) const LONG_ENDS: &[&str] = &["\n\nUser:", "\n\nSystem:"];

const THOUGHT: &str = "<think>";
const THOUGHT_END: &str = "</think>";
/// How a prompt opens a thought.
const OPENED: &str = "<think";
/// And how it puts an empty one there.
const SKIPPED: &str = "<think>\n</think";

/// A conversation as a prompt. The model's turn is opened after a last turn of the user only, as llama.cpp does.
///
/// # Errors
/// [`Error::ChatTemplate`] for a role that the format does not have.
pub(super) fn render(messages: &[ChatMessage], add_generation_prompt: bool, thinking: Thinking) -> Result<String> {
    let mut text = String::new();
    for message in messages {
        let (name, content) = match message.role.as_str() {
            "system" => ("System", without_blank_lines(&message.content)),
            "user" => ("User", without_blank_lines(&message.content)),
            "assistant" => ("Assistant", without_thoughts(&message.content)),
            other => {
                let role: String = other.chars().take(40).collect();
                let problem = format!("`{NAME}` has the roles system, user and assistant, and not `{role}`");
                return Err(Error::ChatTemplate { problem });
            }
        };
        text.extend([name, ": ", content.trim(), BLANK_LINE]);
    }
    if add_generation_prompt && messages.last().is_some_and(|last| last.role == "user") {
        text += ASSISTANT;
        match thinking {
            Thinking::On => text.extend([" ", OPENED]),
            Thinking::Skip => text.extend([" ", SKIPPED]),
            Thinking::Auto | Thinking::Off => {}
        }
    }
    Ok(text)
}

/// What stands before an answer that has begun and is to be gone on with, and that beginning as the model wrote it.
///
/// # Errors
/// As of [`render`].
pub(super) fn render_begun(messages: &[ChatMessage], begun: &str, thinking: Thinking) -> Result<(String, String)> {
    let mut before = render(messages, false, Thinking::Off)? + ASSISTANT;
    if thinking == Thinking::Skip && !begins_with_thought(begun.as_bytes()) {
        before.extend([" ", SKIPPED, ">"]);
        return Ok((before, begun.to_owned()));
    }
    let space = if begun.starts_with(char::is_whitespace) { "" } else { " " };
    Ok((before, format!("{space}{begun}")))
}

/// A text of the system or the user as it is in a prompt.
pub(super) fn without_blank_lines(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    for char in content.replace("\r\n", "\n").trim().chars() {
        if char != '\n' || !text.ends_with('\n') {
            text.push(char);
        }
    }
    text
}

/// A past answer without what the model thought: pairs of tags, and what a first tag opens that is never closed.
fn without_thoughts(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, thought)) = rest.split_once(THOUGHT) {
        match thought.split_once(THOUGHT_END) {
            Some((_, after)) => {
                text += before;
                rest = after;
            }
            None if text.trim().is_empty() && before.trim().is_empty() => return text,
            None => break,
        }
    }
    // The prompt's opening alone, of an answer that never came.
    if text.is_empty() && rest.trim() == OPENED { text } else { text + rest }
}

/// Where the model's turn is open at the end of a prompt: the byte after its colon.
pub(super) fn open_turn(prompt: &[u8]) -> Option<usize> {
    let turn = [BLANK_LINE, ASSISTANT].concat();
    let start = match last_place(prompt, turn.as_bytes()) {
        Some(place) => place + turn.len(),
        None if prompt.starts_with(ASSISTANT.as_bytes()) => ASSISTANT.len(),
        None => return None,
    };
    let is_over = LONG_ENDS.iter().any(|end| last_place(&prompt[start..], end.as_bytes()).is_some());
    (!is_over).then_some(start)
}

/// Whether the model's turn begins with a thought.
pub(super) fn begins_with_thought(turn: &[u8]) -> bool {
    turn.trim_ascii_start().starts_with(OPENED.as_bytes())
}

/// What a prompt has put at the start of the model's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnStart {
    /// The opening of a thought: what the model goes on with is part of its answer, and so is this.
    Opened(&'static str),
    /// An empty thought up to its last character, this one, which the model writes and which is no part of its answer.
    Skipped(&'static str),
    /// Nothing, or the model's own words.
    Plain,
}

/// How the model's turn starts, if it is no further.
pub(super) fn turn_start(turn: &[u8]) -> TurnStart {
    match turn.trim_ascii_start() {
        turn if turn == OPENED.as_bytes() => TurnStart::Opened(OPENED),
        turn if turn == SKIPPED.as_bytes() => TurnStart::Skipped(">"),
        _ => TurnStart::Plain,
    }
}

fn last_place(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn blank_lines_become_line_breaks() {
        for (content, expected) in [
            ("hi\n\nthere", "hi\nthere"),
            ("  hi\r\n\r\nthere\n", "hi\nthere"),
            ("a\n\n\n\n\nb\n\nc", "a\nb\nc"),
            ("a\n\r\n\r\nb", "a\nb"),
            ("a\n \nb", "a\n \nb"),
            ("\n\n", ""),
            ("a\nb", "a\nb"),
        ] {
            assert_eq!(without_blank_lines(content), expected, "{content:?}");
        }
    }

    #[test]
    fn past_thoughts_are_left_out() {
        for (content, expected) in [
            ("<think>a\n\nb</think>\nc", "\nc"),
            (" <think></think>c", " c"),
            ("<think>a</think><think>b</think>c", "c"),
            ("c <think>a</think> d", "c  d"),
            ("<think>never", ""),
            (" <think", ""),
            ("the tag `<think>` opens", "the tag `<think>` opens"),
            ("a</think>", "a</think>"),
            ("c", "c"),
        ] {
            assert_eq!(without_thoughts(content), expected, "{content:?}");
        }
    }

    #[test]
    fn the_models_turn_is_open_after_its_name_and_until_another_begins() {
        for (prompt, turn) in [
            ("User: a\n\nAssistant:", Some("")),
            ("User: a\n\nAssistant: <think", Some(" <think")),
            ("User: a\n\nAssistant: b\n\nc", Some(" b\n\nc")),
            ("Assistant: b", Some(" b")),
            ("User: a\n\nAssistant: b\n\nUser: c\n\nAssistant:", Some("")),
            ("User: a\n\nAssistant: b\n\nUser: c", None),
            ("User: a\n\nAssistant: b\n\nSystem: c", None),
            ("User: the Assistant: said", None),
            ("User: a\nAssistant:", None),
            ("plain text", None),
            ("", None),
        ] {
            let found = open_turn(prompt.as_bytes()).map(|start| &prompt[start..]);
            assert_eq!(found, turn, "{prompt:?}");
        }
        assert!(begins_with_thought(b" <think>a") && !begins_with_thought(b" a <think>"));
        assert_eq!(turn_start(b" <think"), TurnStart::Opened("<think"));
        assert_eq!(turn_start(b" <think>\n</think"), TurnStart::Skipped(">"));
        assert_eq!([&b" <think>"[..], b" <think>\n</think>", b""].map(turn_start), [TurnStart::Plain; 3]);
    }
}
