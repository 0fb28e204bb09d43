//! `web-mamba pre-read`: reads a text once, so that pages can begin after it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use web_mamba::engine::LoadOptions;
use web_mamba::executor::Activations;
use web_mamba::generate::{GenerateOptions, Generation, Prompt};
use web_mamba::snapshot::{Numbers, Snapshot};
use web_mamba::tokenizer::ChatMessage;

use crate::failure::Failure;
use crate::open::{ModelArguments, read_template, read_text};
use crate::print;
use crate::state_file::StateOutput;

#[derive(Debug, Args)]
pub struct PreRead {
    #[command(flatten)]
    model: ModelArguments,
    /// The text, which becomes the first message of every conversation.
    text: PathBuf,
    #[command(flatten)]
    output: StateOutput,
    /// Who says the text.
    #[arg(long, default_value = "system")]
    role: String,
    /// A file with the chat template to use in place of the model's: Jinja, or `rwkv-world`.
    #[arg(long)]
    chat_template: Option<PathBuf>,
    /// Keep numbers as f32 in place of f16: twice the size, exact.
    #[arg(long)]
    f32: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl PreRead {
    pub fn run(&self) -> Result<(), Failure> {
        self.output.require_free()?;
        let messages = vec![ChatMessage::new(&self.role, read_text(&self.text)?.trim_end())];
        let chat_template = read_template(self.chat_template.as_deref())?;
        let mut options = LoadOptions { chat_template, ..self.model.options() };
        // Exact unless asked otherwise: what continues it, on any backend, begins as near as can be.
        options.activations.get_or_insert(Activations::F32);
        let mut model = self.model.load_with(&options)?;
        let tokens = model.tokenizer()?.encode_start(&messages)?;
        let options = GenerateOptions { max_tokens: 0, ..GenerateOptions::default() };
        let mut generation = Generation::new(&model, &Prompt::Tokens(tokens), options)?;
        let snapshot = pollster::block_on(async {
            while generation.next(&mut model).await?.is_some() {}
            model.save_state().await
        })?;
        let snapshot = Snapshot { messages, ..snapshot };
        let numbers = if self.f32 { Numbers::F32 } else { Numbers::F16 };
        let written = self.output.write(&snapshot, numbers)?;
        let summary = json!({
            "file": self.output.file, "bytes": written.bytes, "unpacked_bytes": written.unpacked_bytes,
            "tokens": snapshot.position(), "model": model.hash().to_string(),
        });
        let text = || format!("{} tokens read; {}", snapshot.position(), self.output.describe(&written));
        Ok(print(self.json, &summary, text)?)
    }
}
