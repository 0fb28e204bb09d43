//! A byte-level BPE vocabulary of any size: it can spell every text, and what a random model says can be read.

use web_mamba::gguf::{Array, Value};
use web_mamba::tokenizer::{CHATML, byte_alphabet};

/// Control tokens come first; their ids are their places here.
const CONTROL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const END_OF_TEXT: u64 = 0;
const END_OF_TURN: u64 = 2;

/// A few merges in GPT-2's alphabet (`Ġ` is the space), so that reading a prompt goes through every part of a tokenizer.
const MERGES: [(&str, &str); 8] =
    [("Ġ", "t"), ("h", "e"), ("Ġ", "a"), ("i", "n"), ("r", "e"), ("Ġt", "he"), ("Ġa", "n"), ("in", "g")];

/// Types of `tokenizer.ggml.token_type`.
const NORMAL: i64 = 1;
const CONTROL_TYPE: i64 = 3;

/// The keys of a vocabulary of `size` tokens. `chat` adds a chat template, and turns end an answer.
///
/// Sizes below 267 are not for models: the bytes, the control tokens and the merges would be cut.
pub fn pairs(size: usize, chat: bool) -> Vec<(&'static str, Value)> {
    let bytes = byte_alphabet().into_iter().map(String::from);
    let merged = MERGES.iter().map(|(left, right)| format!("{left}{right}"));
    // No merge makes these, so no text becomes them; they are what the model says.
    let filler = (0..).map(|number| format!("Ġw{number}"));
    let texts = CONTROL.iter().map(|&text| text.to_owned()).chain(bytes).chain(merged).chain(filler);
    let texts: Vec<String> = texts.take(size).collect();
    let types = (0..size).map(|id| if id < CONTROL.len() { CONTROL_TYPE } else { NORMAL }).collect();
    let merges = MERGES.iter().map(|(left, right)| format!("{left} {right}")).collect();
    let string = |text: &str| Value::String(text.into());
    let mut pairs = vec![
        ("tokenizer.ggml.model", string("gpt2")),
        ("tokenizer.ggml.pre", string(if chat { "falcon" } else { "gpt-2" })),
        ("tokenizer.ggml.tokens", Value::Array(Array::String(texts))),
        ("tokenizer.ggml.token_type", Value::Array(Array::Signed(types))),
        ("tokenizer.ggml.merges", Value::Array(Array::String(merges))),
        ("tokenizer.ggml.bos_token_id", Value::Unsigned(END_OF_TEXT)),
        ("tokenizer.ggml.eos_token_id", Value::Unsigned(if chat { END_OF_TURN } else { END_OF_TEXT })),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ];
    if chat {
        pairs.push(("tokenizer.chat_template", string(CHATML)));
    }
    pairs
}
