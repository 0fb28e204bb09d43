//! How the answer to a prompt begins, and what ends it. Both follow from the prompt's own tokens, so that they are the same
//! whether a conversation, its text or its tokens are given, and when an answer is gone on with that was interrupted.

use super::Tokenizer;
use super::chat::Format;
use super::rwkv_world::{self, TurnStart};

/// More tokens than a template writes after the last message.
const LAST_TOKENS: usize = 32;

/// What a prompt says of its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerStart {
    /// Tokens that end the answer and are no part of it.
    pub end_tokens: Vec<u32>,
    /// Texts that end it likewise, whatever tokens they come in.
    pub end_texts: &'static [&'static str],
    /// The opening of a thought that the prompt ends with: the answer's text begins with it. Else empty.
    pub opening: String,
    /// What the model writes first to end an empty thought of the prompt's, which is no part of the answer's text. Else empty.
    pub unsaid: &'static str,
    /// How many of the prompt's tokens the conversation's next prompt begins with too, which leaves an opened thought out.
    pub lasting_tokens: usize,
}

impl Tokenizer {
    /// What the tokens of a prompt say of its answer.
    ///
    /// In the format `rwkv-world` an answer ends with an end token, or with a blank line. With a thought before it, it has paragraphs: then it
    /// ends with an end token that is no text, or where another turn begins. A prompt without an open turn of the model is a text to
    /// continue, of which a blank line is a part. In all other formats an answer ends with an end token.
    pub fn answer_start(&self, prompt: &[u32]) -> AnswerStart {
        let (end_tokens, end_texts, lasting_tokens) = (self.stop_tokens().to_vec(), &[][..], prompt.len());
        let plain = AnswerStart { end_tokens, end_texts, opening: String::new(), unsaid: "", lasting_tokens };
        match self.chat_template().map(|template| (template.format(), template.can_think())) {
            Ok((Format::RwkvWorld, _)) => self.world_answer(prompt, plain),
            Ok((Format::Jinja(_), true)) => self.thinking_answer(prompt, plain),
            _ => plain,
        }
    }

    fn world_answer(&self, prompt: &[u32], plain: AnswerStart) -> AnswerStart {
        let bytes = self.bytes_of(prompt);
        let turn = rwkv_world::open_turn(&bytes).map(|start| (start, &bytes[start..]));
        let markers = || plain.end_tokens.iter().copied().filter(|&id| self.is_control(id)).collect();
        match turn {
            Some((start, turn)) if rwkv_world::begins_with_thought(turn) => {
                let (opening, unsaid, lasting_tokens) = match rwkv_world::turn_start(turn) {
                    TurnStart::Opened(opening) => (opening, "", self.tokens_within(prompt, start)),
                    TurnStart::Skipped(unsaid) => ("", unsaid, self.tokens_within(prompt, start)),
                    TurnStart::Plain => ("", "", prompt.len()),
                };
                let (end_tokens, opening) = (markers(), opening.to_owned());
                AnswerStart { end_tokens, end_texts: rwkv_world::LONG_ENDS, opening, unsaid, lasting_tokens }
            }
            Some(_) => AnswerStart { end_texts: rwkv_world::SHORT_ENDS, ..plain },
            None => AnswerStart { end_tokens: markers(), ..plain },
        }
    }

    /// Where a template has opened a thought, or put an empty one there.
    fn thinking_answer(&self, prompt: &[u32], plain: AnswerStart) -> AnswerStart {
        let first = prompt.len().saturating_sub(LAST_TOKENS);
        let bytes = self.bytes_of(&prompt[first..]);
        // Up to the last byte that is no text, what is there cannot be the opening.
        let text =
            bytes.utf8_chunks().last().map_or("", |chunk| if chunk.invalid().is_empty() { chunk.valid() } else { "" });
        let Some(opening) = opened_thought(text) else { return plain };
        let before = bytes.len() - opening.len();
        let lasting_tokens = first + self.tokens_within(&prompt[first..], before);
        // An empty thought is over.
        let opening = if opening.contains("</think>") { String::new() } else { opening.to_owned() };
        AnswerStart { opening, lasting_tokens, ..plain }
    }

    fn bytes_of(&self, ids: &[u32]) -> Vec<u8> {
        ids.iter().flat_map(|&id| self.token_bytes(id)).copied().collect()
    }

    /// How many of the first tokens are in the first so many bytes.
    fn tokens_within(&self, ids: &[u32], bytes: usize) -> usize {
        let ends = ids.iter().scan(0, |end, &id| {
            *end += self.token_bytes(id).len();
            Some(*end)
        });
        ends.take_while(|&end| end <= bytes).count()
    }
}

/// The opening of a thought at the end of a prompt, or an empty thought there.
pub(super) fn opened_thought(prompt: &str) -> Option<&str> {
    let start = prompt.rfind("<think>")?;
    let opening = &prompt[start..];
    matches!(opening["<think>".len()..].trim(), "" | "</think>").then_some(opening)
}
