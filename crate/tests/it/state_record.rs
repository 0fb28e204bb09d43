//! Figures of states for `tests/record/`, of the model that `WEB_MAMBA_MODEL` names (by default the demo model) on the backend that
//! `WEB_MAMBA_BACKEND` names (`cpu` or `gpu`), with `WEB_MAMBA_ACTIVATIONS` (`f32` or `q8`):
//! `cargo test -p web-mamba --test it -- state_record --ignored --nocapture`.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::executor::Activations;
use web_mamba::fingerprint::ModelHash;
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::measure::some_tokens;
use web_mamba::model::State;
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::mamba::Mamba;
use web_mamba::sampler::SamplerOptions;
use web_mamba::snapshot::{Numbers, Snapshot, StateShape};
use web_mamba::source::{ByteSource, FileSource};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf");
/// Tokens that are compared after a state in f16 was restored.
const COMPARED: usize = 200;

fn load() -> Model {
    let path = std::env::var("WEB_MAMBA_MODEL").map_or_else(|_| PathBuf::from(DEMO), PathBuf::from);
    let backend = match std::env::var("WEB_MAMBA_BACKEND").as_deref() {
        Ok("gpu") => BackendChoice::WebGpu,
        _ => BackendChoice::Cpu,
    };
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
    let activations = match std::env::var("WEB_MAMBA_ACTIVATIONS").as_deref() {
        Ok("f32") => Some(Activations::F32),
        Ok("q8") => Some(Activations::Q8),
        _ => None,
    };
    let options = LoadOptions { backend, activations, ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

/// The median of nine runs, in milliseconds.
fn median<T>(name: &str, mut work: impl FnMut() -> T) -> T {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..9 {
        let start = Instant::now();
        last = Some(work());
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    println!("{name}: {:.2} ms ({:.2} to {:.2})", times[4], times[0], times[8]);
    last.unwrap()
}

fn greedy(max_tokens: usize, reuse: bool) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 0.0, ..Default::default() };
    GenerateOptions { sampler, max_tokens, ignore_eos: true, reuse, ..Default::default() }
}

/// The ids of an answer, the milliseconds to the first of them, and the tokens that were read for it.
fn answer(model: &mut Model, prompt: &[u32], options: GenerateOptions) -> (Vec<u32>, f64, usize) {
    let start = Instant::now();
    let mut generation = Generation::new(model, &Prompt::Tokens(prompt.to_vec()), options).unwrap();
    let (mut ids, mut first, mut read) = (Vec::new(), 0.0, 0);
    while let Some(event) = block_on(generation.next(model)).unwrap() {
        match event {
            Event::Token { id, .. } => {
                if ids.is_empty() {
                    first = 1e3 * start.elapsed().as_secs_f64();
                }
                ids.push(id);
            }
            Event::End { prefilled_tokens, .. } => read = prefilled_tokens,
            Event::Prefill { .. } => {}
        }
    }
    (ids, first, read)
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - greatest).exp()).sum();
    logits.iter().map(|l| f64::from(l - greatest) - sum.ln()).collect()
}

fn likeliest(logits: &[f32]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap()
}

#[test]
#[ignore = "prints figures; run by hand"]
fn figures() {
    let mut model = load();
    let info = model.info().clone();
    println!("{}, {} ({:?}), state of {} bytes", info.name, info.adapter, info.activations, info.state_bytes);
    block_on(model.logits(&some_tokens(300, info.vocab_size))).unwrap();
    let snapshot = median("save", || block_on(model.save_state()).unwrap());
    let file = median("to a file in f32", || snapshot.to_bytes(Numbers::F32).unwrap());
    let halves = median("to a file in f16", || snapshot.to_bytes(Numbers::F16).unwrap());
    println!("files: {} and {} bytes", file.len(), halves.len());
    median("from a file in f32", || Snapshot::from_bytes(&file).unwrap());
    let coarse = median("from a file in f16", || Snapshot::from_bytes(&halves).unwrap());
    median("restore", || block_on(model.restore_state(&snapshot)).unwrap());
    median("restore and one token", || {
        block_on(model.restore_state(&snapshot)).unwrap();
        block_on(model.continue_logits(&[1])).unwrap()
    });

    // What f16 does to the logits of the tokens after it.
    let (mut worst, mut divergence, mut agree) = (0f32, 0.0, 0);
    let tokens = some_tokens(COMPARED, info.vocab_size);
    let mut logits_from = |snapshot: &Snapshot| -> Vec<Vec<f32>> {
        block_on(model.restore_state(snapshot)).unwrap();
        tokens.iter().map(|&token| block_on(model.continue_logits(&[token])).unwrap()).collect()
    };
    let (exact, rounded) = (logits_from(&snapshot), logits_from(&coarse));
    for (exact, rounded) in exact.iter().zip(&rounded) {
        worst = exact.iter().zip(rounded).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
        let (p, q) = (log_softmax(exact), log_softmax(rounded));
        divergence += p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>() / COMPARED as f64;
        agree += usize::from(likeliest(exact) == likeliest(rounded));
    }
    let first = |all: &[Vec<f32>]| all[0].clone();
    let at_once = first(&exact).iter().zip(first(&rounded)).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    println!("f16: first token's logits differ by {at_once:.1e} at the most, {COMPARED} tokens' by {worst:.1e};");
    println!("     mean KL {divergence:.1e}, the same likeliest token {agree} times of {COMPARED}");

    // A conversation of 20 turns: questions of 40 tokens, answers of 60.
    let questions = some_tokens(20 * 40, info.vocab_size);
    let mut history = Vec::new();
    for question in questions.chunks(40) {
        history.extend(question);
        if history.len() == 20 * 40 + 19 * 60 {
            break;
        }
        history.extend(answer(&mut model, &history, greedy(60, true)).0);
    }
    let (_, first, read) = answer(&mut model, &history, greedy(2, true));
    println!("turn 20 of {} tokens: first token after {first:.0} ms, {read} tokens read", history.len());
    let (_, first, read) = answer(&mut model, &history, greedy(2, false));
    println!("without checkpoints: first token after {first:.0} ms, {read} tokens read");
}

/// The files of a state of Falcon-Mamba-7B's size, with numbers of no model.
#[test]
#[ignore = "prints figures; run by hand"]
fn figures_of_7b_files() {
    let mamba = Mamba {
        d_model: 4096,
        d_inner: 8192,
        d_state: 16,
        d_conv: 4,
        dt_rank: 256,
        n_layers: 64,
        rms_eps: 1e-5,
        norm_dt_b_c: true,
    };
    let network = Rc::new(mamba).network(65024, false);
    let mut state = State::new(&network);
    state.tensors.iter_mut().flatten().enumerate().for_each(|(i, x)| *x = (i as f32).sin());
    let tokens: Vec<u32> = (0..2000).collect();
    state.position = tokens.len() as u64;
    let snapshot = Snapshot {
        model: ModelHash([0; 16]),
        shape: Rc::new(StateShape::new(&network)),
        beginning: None,
        state: Rc::new(state),
        tokens: tokens.into(),
        pending: None,
        sampler: None,
        messages: Vec::new(),
    };
    for numbers in [Numbers::F32, Numbers::F16] {
        let file = median(&format!("7B to a file in {numbers:?}"), || snapshot.to_bytes(numbers).unwrap());
        median(&format!("7B from a file in {numbers:?}"), || Snapshot::from_bytes(&file).unwrap());
        println!("{} bytes", file.len());
    }
}
