//! Long runs: what a state gathers over thousands of steps must stay what the reference gathers.

use crate::support::{every_round, golden};
use std::rc::Rc;

use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::executor::{Activations, Outputs};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::sampler::SamplerOptions;
use web_mamba::source::{ByteSource, FileSource};

fn steps() -> usize {
    if every_round() { 4096 } else { 1024 }
}

/// Largest difference of a logit after all steps: as after a few (`golden_logits.rs`).
const TOLERANCE: f32 = 2e-4;

fn model(backend: BackendChoice) -> Model {
    let path = golden::folder().join("models/falcon-tiny-F32.gguf");
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
    let options = LoadOptions { backend, activations: Some(Activations::F32), ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

fn greedy(model: &mut Model, prompt: &[u32]) -> Vec<u32> {
    let sampler = SamplerOptions { temperature: 0.0, ..Default::default() };
    let options = GenerateOptions { sampler, max_tokens: steps(), ignore_eos: true, ..Default::default() };
    let mut generation = Generation::new(model, &Prompt::Tokens(prompt.to_vec()), options).unwrap();
    let mut ids = Vec::new();
    while let Some(event) = block_on(generation.next(model)).unwrap() {
        if let Event::Token { id, .. } = event {
            ids.push(id);
        }
    }
    ids
}

/// Logits after each of some tokens, read one by one from a fresh state.
fn logits_of_each(model: &mut Model, tokens: &[u32], mut see: impl FnMut(usize, Vec<f32>)) {
    model.begin().unwrap();
    for (i, &token) in tokens.iter().enumerate() {
        see(i, block_on(model.executor().forward(0, &[token], Outputs::Last)).unwrap());
    }
}

#[test]
fn thousands_of_greedy_tokens_on_the_gpu_are_the_references() {
    let (mut cpu, mut gpu) = (model(BackendChoice::Cpu), model(BackendChoice::WebGpu));
    let prompt = [5, 17, 300, 41];
    let (expected, found) = (greedy(&mut cpu, &prompt), greedy(&mut gpu, &prompt));
    assert_eq!((expected.len(), found.len()), (steps(), steps()));
    let first = expected.iter().zip(&found).position(|(a, b)| a != b);
    assert_eq!(first, None, "token {first:?} differs");

    let distinct: std::collections::HashSet<_> = expected.iter().collect();
    assert!(distinct.len() > 8, "a completion of {} distinct tokens shows little", distinct.len());

    // Beyond the sampled tokens: all logits, to the last step.
    let tokens: Vec<u32> = (0..steps() as u32).map(|i| (i * i * 31 + 7 * i) % 512).collect();
    let mut all = Vec::new();
    logits_of_each(&mut cpu, &tokens, |_, logits| all.push(logits));
    let mut worst = [0f32; 2];
    logits_of_each(&mut gpu, &tokens, |i, logits| {
        let difference = logits.iter().zip(&all[i]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let half = &mut worst[usize::from(i >= steps() / 2)];
        *half = half.max(difference);
    });
    println!("largest difference of a logit: {:.2e} in the first half, {:.2e} in the second", worst[0], worst[1]);
    assert!(worst.iter().all(|&worst| worst < TOLERANCE), "{worst:?}");
}
