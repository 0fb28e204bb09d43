//! Where a text ends in a prompt's tokens, for prompts that share it.

use super::{Prompt, answer};
use crate::engine::Model;
use crate::error::Result;
use crate::tokenizer::ChatMessage;

/// Two ways on that differ from their first letter.
const CONTINUATIONS: [&str; 2] = ["A", "7?"];

/// How many of a prompt's `tokens` stay as they are, whatever follows `text` in it; 0 where the text is not in it. The tokens at
/// the text's very end are left out: they could be joined with what follows.
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
    let tokenizer = model.tokenizer()?;
    let mut unsure = joinable_bytes(text);
    while unsure > 0 && shared > 0 {
        shared -= 1;
        unsure = unsure.saturating_sub(tokenizer.token_bytes(tokens[shared]).len());
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

/// Bytes at the end of a text that could become one piece with what follows it. Pre-tokenizers make pieces of one run of letters,
/// digits, spaces or marks and at most part of the run beside it, so the last two runs may change and none before them.
fn joinable_bytes(text: &str) -> usize {
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

#[cfg(test)]
mod tests {
    use super::joinable_bytes;

    #[test]
    fn the_last_two_runs_may_be_joined() {
        for (text, bytes) in
            [("", 0), ("abc", 3), ("one two", 4), ("x two ", 4), ("é\n\"\"\"", 4), ("In 18", 3), ("a...\n", 4)]
        {
            assert_eq!(joinable_bytes(text), bytes, "{text:?}");
        }
    }
}
