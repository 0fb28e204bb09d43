//! `web-mamba perplexity`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use web_mamba::Result;
use web_mamba::error::Error;
use web_mamba::executor::Outputs;
use web_mamba::tokenizer::Special;

use crate::open::{ModelArguments, read_text};
use crate::print;

#[derive(Debug, Args)]
pub struct Perplexity {
    #[command(flatten)]
    model: ModelArguments,
    /// The text to predict, read from its beginning in one go: a state-space model needs no windows.
    #[arg(long)]
    text_file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Perplexity {
    pub fn run(&self) -> Result<()> {
        let text = read_text(&self.text_file)?;
        let mut model = self.model.load()?;
        let tokens = model.tokenizer()?.encode_prompt(&text, Special::Plain)?;
        if tokens.len() < 2 {
            return Err(Error::EmptyPrompt);
        }
        model.begin()?;
        let executor = model.executor();
        let vocab_size = executor.vocab_size();
        let max_tokens = executor.max_tokens().min(executor.max_outputs());
        let mut loss = 0.0;
        // Each token but the last predicts the one after it.
        for (chunk, predicted) in tokens[..tokens.len() - 1].chunks(max_tokens).zip(tokens[1..].chunks(max_tokens)) {
            let logits = pollster::block_on(executor.forward(0, chunk, Outputs::Each))?;
            for (row, &token) in logits.chunks_exact(vocab_size).zip(predicted) {
                loss -= log_probability(row, token as usize);
            }
        }
        if !loss.is_finite() {
            return Err(Error::NotFinite { what: "the probability of the text".into() });
        }
        let count = tokens.len() - 1;
        let mean = loss / count as f64;
        let value = json!({
            "perplexity": mean.exp(), "nats_per_token": mean, "tokens": count,
            "backend": model.info().backend, "adapter": model.info().adapter,
        });
        print(self.json, &value, || format!("perplexity {:.4} over {count} tokens", mean.exp()))
    }
}

/// Natural logarithm of a token's probability.
fn log_probability(logits: &[f32], token: usize) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&l| (f64::from(l) - max).exp()).sum();
    f64::from(logits[token]) - max - sum.ln()
}
