//! `web-mamba convert-state`: a state file of this engine from a tuned state of another program.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use web_mamba::fingerprint::ModelHash;
use web_mamba::model::ModelFile;
use web_mamba::snapshot::{Numbers, Snapshot};

use crate::failure::Failure;
use crate::open::open_gguf;
use crate::print;
use crate::state_file::{OrderArgument, StateOutput, read_state};

#[derive(Debug, Args)]
pub struct ConvertState {
    /// The model that the state was tuned for: a GGUF file, or the first part of a split set.
    model: PathBuf,
    /// The tuned state: .pth, .safetensors, .st or .state.
    state: PathBuf,
    #[command(flatten)]
    output: StateOutput,
    /// The order of the last two axes in the file. By default as its name says: .st and .state are key by value, others value by key.
    #[arg(long, value_enum)]
    order: Option<OrderArgument>,
    /// Round numbers to f16 also where that changes them.
    #[arg(long)]
    f16: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl ConvertState {
    pub fn run(&self) -> Result<(), Failure> {
        self.output.require_free()?;
        let file = ModelFile::of(open_gguf(&self.model)?)?;
        let model = pollster::block_on(ModelHash::of(&file.gguf))?;
        let name = (&*self.state.to_string_lossy(), self.order.map(Into::into));
        let (snapshot, order) = Snapshot::open(&read_state(&self.state)?, name, &model, &file.network)?;
        // Files in f16 and most in bf16 lose nothing by it.
        let rounded = Snapshot::from_bytes(&snapshot.to_bytes(Numbers::F16)?)?;
        let numbers = if self.f16 || rounded.state == snapshot.state { Numbers::F16 } else { Numbers::F32 };
        let written = self.output.write(&snapshot, numbers)?;
        let beginning = if numbers == Numbers::F16 { rounded.beginning } else { snapshot.beginning };
        let summary = json!({
            "file": self.output.file, "bytes": written.bytes, "unpacked_bytes": written.unpacked_bytes, "numbers": numbers,
            "order": order, "beginning": beginning.map(|beginning| beginning.to_string()), "model": model.to_string(),
        });
        let text = || {
            let read = order.map_or("it was a state file already", |order| order.describe());
            format!("{}, read as: {read}; {}", self.state.display(), self.output.describe(&written))
        };
        Ok(print(self.json, &summary, text)?)
    }
}
