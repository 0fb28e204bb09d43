//! `web-mamba pre-read`: reads a text once, so that pages can begin after it. Also reads such files for other commands.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use web_mamba::engine::Model;
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::generate::{GenerateOptions, Generation, Prompt};
use web_mamba::snapshot::{Numbers, Snapshot};
use web_mamba::tokenizer::ChatMessage;

use crate::failure::Failure;
use crate::open::{ModelArguments, read_text, sources};
use crate::print;

/// More than any model's state, and little enough to hold: a small file must not unpack into all memory.
const MOST_BYTES: u64 = 2 << 30;

#[derive(Debug, Args)]
pub struct PreRead {
    #[command(flatten)]
    model: ModelArguments,
    /// The text, which becomes the first message of every conversation.
    text: PathBuf,
    /// The file to write.
    #[arg(short, long)]
    output: PathBuf,
    /// Who says the text.
    #[arg(long, default_value = "system")]
    role: String,
    /// Keep numbers as f32 in place of f16: twice the size, exact.
    #[arg(long)]
    f32: bool,
    /// Do not compress the file.
    #[arg(long)]
    no_gzip: bool,
    /// Write over a file.
    #[arg(long)]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl PreRead {
    pub fn run(&self) -> Result<(), Failure> {
        if self.output.exists() && !self.force {
            return Err(Failure::Exists { file: self.output.display().to_string() });
        }
        let messages = vec![ChatMessage::new(&self.role, read_text(&self.text)?.trim_end())];
        let mut options = self.model.options();
        // Exact unless asked otherwise: what continues it, on any backend, begins as near as can be.
        options.activations.get_or_insert(Activations::F32);
        let mut model = pollster::block_on(Model::load(sources(&self.model.file)?, &options, &mut |_, _| {}))?;
        let tokens = model.tokenizer()?.encode_start(&messages)?;
        let options = GenerateOptions { max_tokens: 0, ..GenerateOptions::default() };
        let mut generation = Generation::new(&model, &Prompt::Tokens(tokens), options)?;
        let snapshot = pollster::block_on(async {
            while generation.next(&mut model).await?.is_some() {}
            model.save_state().await
        })?;
        let snapshot = Snapshot { messages, ..snapshot };
        let numbers = if self.f32 { Numbers::F32 } else { Numbers::F16 };
        let plain = snapshot.to_bytes(numbers)?;
        let bytes = self.packed(&plain).map_err(|error| self.failed(&error))?;
        // Beside its place first: nothing half-written is left where the file is to be.
        let part = self.output.with_extension("part");
        let written = std::fs::write(&part, &bytes).and_then(|()| std::fs::rename(&part, &self.output));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&part);
            self.failed(&error)
        })?;
        let summary = json!({
            "file": self.output, "bytes": bytes.len(), "unpacked_bytes": plain.len(), "tokens": snapshot.position(),
            "model": model.hash().to_string(),
        });
        let text = || {
            let (tokens, file) = (snapshot.position(), self.output.display());
            format!("{tokens} tokens read; {file} has {} bytes ({} unpacked)", bytes.len(), plain.len())
        };
        Ok(print(self.json, &summary, text)?)
    }

    fn packed(&self, plain: &[u8]) -> std::io::Result<Vec<u8>> {
        if self.no_gzip {
            return Ok(plain.to_vec());
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain)?;
        encoder.finish()
    }

    fn failed(&self, problem: &std::io::Error) -> Failure {
        Failure::Write { file: self.output.display().to_string(), problem: problem.to_string() }
    }
}

/// Reads a state file, compressed or not.
pub fn read_state(path: &Path) -> web_mamba::Result<Snapshot> {
    let failed = |problem: std::io::Error| Error::Read {
        what: path.display().to_string(),
        offset: 0,
        length: std::fs::metadata(path).map_or(0, |m| m.len()),
        problem: problem.to_string(),
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let unpack = GzDecoder::new(bytes.as_slice()).take(MOST_BYTES).read_to_end(&mut unpacked);
        unpack.map_err(|error| Error::StateDamaged { problem: format!("it does not unpack: {error}") })?;
        bytes = unpacked;
    }
    Snapshot::from_bytes(&bytes)
}
