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
    let Some(start) = prompt.find(text) else { return 0 };
    let sure = start + text.len() - joinable_bytes(text);
    let ends = tokens.iter().scan(0, |end, &token| {
        *end += tokenizer.token_bytes(token).len();
        Some(*end)
    });
    ends.take_while(|&end| end <= sure).count()
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
