//! Golden values made by transformers and llama.cpp (see tests/golden/README.md), and how an executor is held to them.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use base64::Engine as _;
use serde::Deserialize;
use web_mamba::executor::{Executor, Outputs};
use web_mamba::gguf::Gguf;
use web_mamba::model::ModelFile;
use web_mamba::source::{ByteSource, FileSource};

/// Largest difference from transformers, on the same dequantised weights with f32 activations. The two references are
/// within 5e-5 of each other on F32 files; the rest is room for other orders of addition.
pub const TOLERANCE: f32 = 2e-4;

#[derive(Deserialize)]
pub struct Golden {
    pub file: String,
    pub n_vocab: usize,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Case {
    pub prompt: String,
    pub ids: Vec<u32>,
    pub llama: Reference,
    /// Of transformers, or of a forward pass in f64.
    #[serde(alias = "reference")]
    pub hf: Reference,
}

#[derive(Deserialize)]
pub struct Reference {
    pub greedy64: Vec<u32>,
    pub greedy_margin: Vec<f32>,
    #[serde(rename = "full_logits_f32le_b64")]
    full_logits: std::collections::BTreeMap<String, String>,
}

impl Reference {
    /// Positions and their logits.
    pub fn logits(&self) -> Vec<(usize, Vec<f32>)> {
        let decode = |text: &String| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        };
        self.full_logits.iter().map(|(position, text)| (position.parse().unwrap(), decode(text))).collect()
    }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// Every golden file, in order of name.
pub fn all() -> Vec<Golden> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder().join("logits")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 16, "golden files are missing");
    paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

pub fn open(file: &Path) -> ModelFile {
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(file).unwrap());
    ModelFile::of(pollster::block_on(Gguf::open(vec![source])).unwrap()).unwrap()
}

/// Logits of every token, from a fresh state, in chunks as large as the executor takes.
pub fn prefill(executor: &mut dyn Executor, ids: &[u32]) -> Vec<Vec<f32>> {
    executor.reset(0).unwrap();
    let mut rows = Vec::new();
    for chunk in ids.chunks(executor.max_tokens().min(executor.max_outputs())) {
        let logits = pollster::block_on(executor.forward(0, chunk, Outputs::Each)).unwrap();
        rows.extend(logits.chunks_exact(executor.vocab_size()).map(<[f32]>::to_vec));
    }
    rows
}

pub fn argmax(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.unwrap().0 as u32
}

pub fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) })
}

/// KL(reference || other) of the distributions that logits stand for, in nats.
pub fn kl(reference: &[f32], other: &[f32]) -> f64 {
    let log_softmax = |logits: &[f32]| {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
        logits.iter().map(|l| f64::from(l - max) - sum.ln()).collect::<Vec<_>>()
    };
    let (p, q) = (log_softmax(reference), log_softmax(other));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// How an executor and transformers each stand to llama.cpp, summed over positions.
#[derive(Default)]
pub struct AgainstLlama {
    pub positions: usize,
    pub kl_ours: f64,
    pub kl_hf: f64,
    pub top1_ours: usize,
    pub top1_hf: usize,
}

/// Holds an executor to one golden file; gives the worst logit difference.
pub fn check(executor: &mut dyn Executor, golden: &Golden, llama: &mut AgainstLlama) -> f32 {
    let mut worst = 0.0f32;
    for case in &golden.cases {
        let name = format!("{} {:?} on {}", golden.file, case.prompt, executor.backend().kind);
        let rows = prefill(executor, &case.ids);
        let mut error = 0.0f32;
        for ((position, hf), (_, reference)) in case.hf.logits().iter().zip(case.llama.logits()) {
            assert_eq!(hf.len(), golden.n_vocab);
            let difference = max_difference(&rows[*position], hf);
            assert!(difference <= TOLERANCE, "{name}, position {position}: logits differ by {difference}");
            error = error.max(difference);
            worst = worst.max(difference);
            llama.positions += 1;
            llama.kl_ours += kl(&reference, &rows[*position]);
            llama.kl_hf += kl(&reference, hf);
            llama.top1_ours += usize::from(argmax(&reference) == argmax(&rows[*position]));
            llama.top1_hf += usize::from(argmax(&reference) == argmax(hf));
        }
        check_greedy(executor, case, rows.last().unwrap().clone(), error, &name);
    }
    worst
}

/// 64 greedy tokens, decoded one by one, must be those of transformers; where they part, its own margin between the first
/// and the second choice must be below `error`, the largest logit difference of this very case.
fn check_greedy(executor: &mut dyn Executor, case: &Case, mut logits: Vec<f32>, error: f32, name: &str) {
    for (step, (&expected, &margin)) in case.hf.greedy64.iter().zip(&case.hf.greedy_margin).enumerate() {
        let token = argmax(&logits);
        if token != expected {
            assert!(margin < error, "{name}: greedy token {step} is {token}, not {expected} (margin {margin})");
            return;
        }
        logits = pollster::block_on(executor.forward(0, &[token], Outputs::Last)).unwrap();
    }
}

/// Our distance from llama.cpp, which rounds activations, must not exceed the distance between the two references.
pub fn check_against_llama(llama: &AgainstLlama) {
    let (ours, hf) = (llama.kl_ours / llama.positions as f64, llama.kl_hf / llama.positions as f64);
    // One part in a thousand: our own 2e-4 in the logits, far below what rounded activations do.
    assert!(ours <= hf * 1.001 + 1e-7, "mean KL from llama.cpp is {ours}, between the references {hf}");
    assert!(llama.top1_ours >= llama.top1_hf, "top-1 agrees {} times, references {}", llama.top1_ours, llama.top1_hf);
}
