//! Vocabularies of any size, which can spell every text; and what a random model says can be read.

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

/// The keys of a byte-level BPE vocabulary of `size` tokens. `chat` adds a chat template, and turns end an answer.
///
/// Sizes below 267 are not for models: the bytes, the control tokens and the merges would be cut.
pub fn byte_level(size: usize, chat: bool) -> Vec<(&'static str, Value)> {
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

/// The id of a blank line, which ends a turn, in the vocabulary of RWKV World models.
const BLANK_LINE: usize = 261;

/// The keys of a vocabulary like that of RWKV World models: the end of a text, every byte, and tokens of several.
///
/// Sizes below 262 are not for models: the bytes and the blank line would be cut.
pub fn world(size: usize) -> Vec<(&'static str, Value)> {
    let text = |id: usize| match id {
        0 => "<s>".to_owned(),
        1..=256 => escaped(id as u8 - 1),
        BLANK_LINE => "\\n\\n".to_owned(),
        // With a space before it, as most tokens have.
        _ => format!(" w{id}"),
    };
    let types = (0..size).map(|id| if id == 0 { CONTROL_TYPE } else { NORMAL }).collect();
    let string = |text: &str| Value::String(text.into());
    vec![
        ("tokenizer.ggml.model", string("rwkv")),
        ("tokenizer.ggml.tokens", Value::Array(Array::String((0..size).map(text).collect()))),
        ("tokenizer.ggml.token_type", Value::Array(Array::Signed(types))),
        ("tokenizer.ggml.bos_token_id", Value::Unsigned(0)),
        ("tokenizer.ggml.eos_token_id", Value::Unsigned(0)),
        ("tokenizer.ggml.eot_token_id", Value::Unsigned(BLANK_LINE as u64)),
        ("tokenizer.chat_template", string("rwkv-world")),
    ]
}

/// A byte as files have it: as Python writes it, without quotes.
fn escaped(byte: u8) -> String {
    match byte {
        b'\t' => "\\t".into(),
        b'\n' => "\\n".into(),
        b'\r' => "\\r".into(),
        b'\\' => "\\\\".into(),
        b' '..=b'~' => char::from(byte).into(),
        _ => format!("\\x{byte:02x}"),
    }
}
