//! Where a text ends in a prompt's tokens, for prompts that share it.

use crate::tokenizer::Tokenizer;

/// How many of a prompt's `tokens` stay as they are, whatever follows `text` in it; 0 where the text is not in it. The tokens at
/// the text's very end are left out: they could be joined with what follows.
///
/// A template that writes what comes later before the text makes other tokens of it for each prompt. Then a checkpoint at this
/// place serves the same prompt alone, since prompts are compared token by token.
pub fn shared_tokens(tokenizer: &Tokenizer, tokens: &[u32], text: &str) -> usize {
    let bytes: Vec<u8> = tokens.iter().flat_map(|&token| tokenizer.token_bytes(token)).copied().collect();
    // What comes after bytes that are no text is not looked at.
    let prompt = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let in_prompt = tokenizer.content_in_prompt(text);
    let place = prompt.find(text).map(|start| (start, text.len()));
    let place = place.or_else(|| prompt.find(&in_prompt).map(|start| (start, in_prompt.len())));
    let Some((start, length)) = place else { return 0 };
    tokenizer.settled_tokens(tokens, prompt, start, start + length)
}
