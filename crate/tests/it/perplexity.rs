//! What 8-bit activations cost: the perplexity of the demo model over a text that was written for this test, so that no model has
//! learnt it, with exact activations and with rounded ones.

use std::path::Path;
use std::rc::Rc;

use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::executor::{Activations, Outputs};
use web_mamba::source::FileSource;
use web_mamba::tokenizer::Special;

/// The largest difference, as a part of the exact perplexity.
const LIMIT: f64 = 0.005;

fn perplexity(activations: Activations) -> f64 {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = FileSource::open(&root.join("web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf")).unwrap();
    let text = std::fs::read_to_string(root.join("tests/golden/text/held-out.txt")).unwrap();
    let options = LoadOptions { backend: BackendChoice::Cpu, activations: Some(activations), ..LoadOptions::default() };
    let mut model = block_on(Model::load(vec![Rc::new(file)], &options, &mut |_, _| {})).unwrap();
    let tokens = model.tokenizer().unwrap().encode_prompt(&text, Special::Plain).unwrap();
    let executor = model.executor();
    let (vocab_size, chunk) = (executor.vocab_size(), executor.max_tokens());
    let mut loss = 0.0;
    for (read, predicted) in tokens[..tokens.len() - 1].chunks(chunk).zip(tokens[1..].chunks(chunk)) {
        let logits = block_on(executor.forward(0, read, Outputs::Each)).unwrap();
        for (row, &token) in logits.chunks_exact(vocab_size).zip(predicted) {
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            loss += sum.ln() - f64::from(row[token as usize]);
        }
    }
    println!("{activations:?}: {} tokens", tokens.len());
    (loss / (tokens.len() - 1) as f64).exp()
}

#[test]
fn rounded_activations_cost_next_to_nothing() {
    let (exact, rounded) = (perplexity(Activations::F32), perplexity(Activations::Q8));
    let difference = rounded / exact - 1.0;
    println!("perplexity {exact:.4} with f32 activations, {rounded:.4} with 8 bits: {:+.3} %", 100.0 * difference);
    assert!(exact > 1.0 && exact < 1000.0, "{exact}: this is not the model's text");
    assert!(difference.abs() <= LIMIT, "{exact} and {rounded}");
}
