//! Where a text ends in a prompt's tokens, for prompts that share it.

use super::{Prompt, answer};
use crate::engine::Model;
use crate::error::Result;
use crate::tokenizer::ChatMessage;

/// One continuation of each kind that a pre-tokenizer tells apart: letters, digits, marks, spaces and line ends. What is the same
/// before all of them does not depend on what comes.
const CONTINUATIONS: [&str; 5] = ["A", "7", "?", " x", "\n\nx"];

/// How many of a prompt's `tokens` stay as they are, whatever follows `text` in it; 0 where the text is not in it. The tokens at
/// the text's very end may be left out: they could be joined with what follows.
///
/// # Errors
/// As of [`Prompt::tokens`].
pub fn shared_tokens(model: &Model, prompt: &Prompt, text: &str, tokens: &[u32]) -> Result<usize> {
    let mut shared = tokens.len();
    for continuation in CONTINUATIONS {
        let Some(other) = continued(prompt, text, continuation) else { return Ok(0) };
        let other = answer::encode(model, &other)?;
        shared = tokens.iter().zip(&other).take(shared).take_while(|(a, b)| a == b).count();
    }
    Ok(shared)
}

/// The prompt up to the end of the text, and something else from there.
fn continued(prompt: &Prompt, text: &str, continuation: &str) -> Option<Prompt> {
    let from = |content: &str| {
        let end = content.find(text)? + text.len();
        Some(content[..end].to_string() + continuation)
    };
    match prompt {
        Prompt::Text(content) => from(content).map(Prompt::Text),
        Prompt::Chat(messages) => {
            let found = messages.iter().enumerate().find_map(|(at, message)| Some((at, from(&message.content)?)));
            let (at, content) = found?;
            let last = ChatMessage::new(messages[at].role.clone(), content);
            Some(Prompt::Chat(messages[..at].iter().cloned().chain([last]).collect()))
        }
        Prompt::Tokens(_) => None,
    }
}
