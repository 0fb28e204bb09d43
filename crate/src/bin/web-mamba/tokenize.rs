//! `web-mamba tokenize`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use web_mamba::Result;
use web_mamba::tokenizer::{Special, Tokenizer};

use crate::open::{open_gguf, read_text};
use crate::print;

#[derive(Debug, Args)]
pub struct Tokenize {
    /// A GGUF file with a vocabulary; it needs no tensors.
    file: PathBuf,
    #[command(flatten)]
    text: Text,
    /// Put the vocabulary's BOS token first.
    #[arg(long)]
    bos: bool,
    /// Read the names of control tokens as plain text.
    #[arg(long)]
    plain: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Text {
    /// The text.
    #[arg(long, allow_hyphen_values = true)]
    text: Option<String>,
    /// A file with the text.
    #[arg(long)]
    text_file: Option<PathBuf>,
}

impl Tokenize {
    pub fn run(&self) -> Result<()> {
        let gguf = open_gguf(&self.file)?;
        let tokenizer = Tokenizer::from_metadata(&gguf.metadata)?;
        let text = match (&self.text.text, &self.text.text_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => read_text(path)?,
            (None, None) => String::new(),
        };
        let special = if self.plain { Special::Plain } else { Special::Parse };
        let mut ids: Vec<u32> = tokenizer.bos().filter(|_| self.bos).into_iter().collect();
        ids.extend(tokenizer.encode(&text, special)?);
        let plain = || ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        print(self.json, &json!({ "ids": ids }), plain)
    }
}
