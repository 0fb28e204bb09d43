//! `web-mamba inspect`.

use std::collections::HashSet;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Map, Value as Json, json};
use web_mamba::Result;
use web_mamba::fit;
use web_mamba::gguf::{Array, Gguf, Value};
use web_mamba::gpu::GpuExecutor;
use web_mamba::model::arch::network;
use web_mamba::model::{Network, Weights};
use web_mamba::tokenizer::Tokenizer;

use crate::open::{ModelArguments, open_gguf, sources};
use crate::print;

#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    model: ModelArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Longer metadata values are cut in the plain listing.
const PLAIN_CHARACTERS: usize = 96;

impl Inspect {
    pub fn run(&self) -> Result<()> {
        let gguf = open_gguf(&self.model.file)?;
        // A file with a vocabulary alone, or of another architecture, is still worth showing.
        let model = network(&gguf).and_then(|network| Weights::find(&gguf, &network).map(|weights| (network, weights)));
        let notes = notes(&gguf, model.as_ref().ok().map(|(_, weights)| weights));
        let runs = match &model {
            Ok((network, weights)) => describe(network, weights),
            Err(error) => json!({ "error": error.to_string() }),
        };
        let fit = pollster::block_on(fit::plan(sources(&self.model.file)?, &self.model.options()));
        let fit = fit.map_or_else(|error| json!({ "error": error.to_string() }), |fit| json!(fit));
        let metadata: Map<_, _> = gguf.metadata.sorted().into_iter().map(|(k, v)| (k.into(), to_json(v))).collect();
        let tensors = gguf.tensors().iter().map(|t| {
            let (name, dtype) = (&t.name, t.dtype.name());
            json!({ "name": name, "type": dtype, "shape": t.dims, "bytes": t.bytes, "offset": t.offset, "part": t.part })
        });
        let tensors: Vec<_> = tensors.collect();
        let whole = json!({
            "version": gguf.version, "bytes": gguf.total_bytes(), "metadata": metadata, "tensors": tensors, "model": runs,
            "fit": fit, "notes": notes,
        });
        print(self.json, &whole, || plain(&gguf, &runs, &fit, &notes))
    }
}

fn describe(network: &Network, weights: &Weights) -> Json {
    let memory = GpuExecutor::memory_needed(network, weights);
    let mut described = json!({
        "architecture": network.architecture.name(), "d_model": network.d_model, "layers": network.n_layers,
        "vocab_size": network.vocab_size, "tied_head": network.tied_head, "parameters": weights.parameters(),
        "bytes_per_token": weights.bytes_per_token(network),
        "memory": {
            "weights": memory.weights, "state": memory.state, "scratch": memory.scratch, "total": memory.total(),
        },
    });
    if let Json::Object(described) = &mut described {
        described.extend(network.architecture.sizes().iter().map(|(name, value)| ((*name).into(), to_json(value))));
    }
    described
}

/// What is odd in the file: what is in the way of text, and what is not used.
fn notes(gguf: &Gguf, weights: Option<&Weights>) -> Vec<String> {
    let mut notes = match Tokenizer::from_metadata(&gguf.metadata) {
        Ok(tokenizer) => tokenizer.notes(),
        Err(error) => vec![format!("text is not possible: {error}")],
    };
    if let Some(weights) = weights {
        let used: HashSet<&str> = weights.all().iter().map(|weight| weight.tensor.name.as_str()).collect();
        let unused: Vec<_> = gguf.tensors().iter().filter(|tensor| !used.contains(tensor.name.as_str())).collect();
        if let Some(first) = unused.first() {
            notes.push(format!("{} tensors are not used: the first is `{}`", unused.len(), first.name));
        }
    }
    notes
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Unsigned(v) => json!(v),
        Value::Signed(v) => json!(v),
        Value::Float(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::String(v) => json!(v),
        Value::Array(array) => array_to_json(array),
    }
}

fn array_to_json(array: &Array) -> Json {
    match array {
        Array::Unsigned(v) => json!(v),
        Array::Signed(v) => json!(v),
        Array::Float(v) => json!(v),
        Array::Bool(v) => json!(v),
        Array::String(v) => json!(v),
        Array::Array(v) => v.iter().map(array_to_json).collect(),
    }
}

fn plain(gguf: &Gguf, runs: &Json, fit: &Json, notes: &[String]) -> String {
    let mut out = format!("GGUF version {}, {} bytes\n\nmetadata\n", gguf.version, gguf.total_bytes());
    // Writing to a string cannot fail.
    for (key, value) in gguf.metadata.sorted() {
        let text = match value {
            Value::Array(array) => format!("array of {} values", array.len()),
            other => to_json(other).to_string(),
        };
        let cut: String = text.chars().take(PLAIN_CHARACTERS).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        let _ = writeln!(out, "  {key} = {cut}{more}");
    }
    let _ = writeln!(out, "\n{} tensors", gguf.tensors().len());
    for tensor in gguf.tensors() {
        let _ =
            writeln!(out, "  {:32} {:7} {:?} {} bytes", tensor.name, tensor.dtype.name(), tensor.dims, tensor.bytes);
    }
    for (title, object) in [("model", runs), ("here", fit)] {
        let _ = writeln!(out, "\n{title}");
        for (key, value) in object.as_object().into_iter().flatten() {
            let _ = writeln!(out, "  {key} = {value}");
        }
    }
    if !notes.is_empty() {
        let _ = writeln!(out, "\nnotes");
        for note in notes {
            let _ = writeln!(out, "  {note}");
        }
    }
    out
}
