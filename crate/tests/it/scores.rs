//! How likely a text is, and what it is as a vector: scores, perplexities, embeddings and the log-probabilities of sampled tokens, held
//! to the golden logits, and to each other.

use std::rc::Rc;

use futures_util::future::{LocalBoxFuture, ready};
use pollster::block_on;
use web_mamba::engine::{BackendChoice, EmbedOptions, LoadOptions, Model, Pooling};
use web_mamba::error::{Error, Result};
use web_mamba::executor::Activations;
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt, TokenLogprobs};
use web_mamba::model::Op;
use web_mamba::pause::{NoPause, Pause};
use web_mamba::quant::decode_row;
use web_mamba::sampler::SamplerOptions;
use web_mamba::source::FileSource;

use crate::support::golden::{self, Golden, TOLERANCE};

/// Of each architecture: with a head of its own and with a tied one, plain and quantised.
const FILES: [&str; 4] = ["falcon-tiny-Q4_K_M.gguf", "mamba-tiny-F16.gguf", "rwkv7-a-F32.gguf", "rwkv7-b-Q4_K_M.gguf"];

fn load(file: &str, backend: BackendChoice) -> Model {
    let source = Rc::new(FileSource::open(&golden::folder().join("models").join(file)).unwrap());
    let options = LoadOptions { backend, activations: Some(Activations::F32), ..LoadOptions::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

fn backends() -> Vec<BackendChoice> {
    if cfg!(feature = "gpu") { vec![BackendChoice::Cpu, BackendChoice::WebGpu] } else { vec![BackendChoice::Cpu] }
}

fn goldens() -> impl Iterator<Item = Golden> {
    golden::all().into_iter().filter(|golden| FILES.contains(&golden.file.as_str()))
}

fn log_softmax(logits: &[f32], token: u32) -> f64 {
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
    f64::from(logits[token as usize]) - sum.ln()
}

/// A logit differs by the golden tests' tolerance at most, and the logarithm of the sum by as much again.
const LOGPROB_TOLERANCE: f64 = 2.0 * TOLERANCE as f64;

fn scores(model: &mut Model, prompt: &[u32], continuation: &[u32]) -> Vec<f64> {
    block_on(model.score(prompt, continuation, &mut NoPause)).unwrap()
}

#[test]
fn scores_and_perplexities_are_those_of_the_golden_logits() {
    for backend in backends() {
        for golden in goldens() {
            let mut model = load(&golden.file, backend);
            for case in &golden.cases {
                // The last position's next token is the one that the reference writes.
                let tokens: Vec<u32> = case.ids.iter().copied().chain([case.hf.greedy64[0]]).collect();
                let all = scores(&mut model, &tokens[..1], &tokens[1..]);
                assert_eq!(all.len(), case.ids.len());
                for (position, logits) in case.hf.logits() {
                    let expected = log_softmax(&logits, tokens[position + 1]);
                    let difference = (all[position] - expected).abs();
                    assert!(difference <= LOGPROB_TOLERANCE, "{} at {position}: {difference}", golden.file);
                    let alone = scores(&mut model, &tokens[..=position], &tokens[position + 1..position + 2]);
                    assert!((alone[0] - expected).abs() <= LOGPROB_TOLERANCE, "{} at {position}", golden.file);
                    if position == 0 {
                        let perplexity = block_on(model.perplexity(&tokens[..2], &mut NoPause)).unwrap();
                        assert!((perplexity.ln() + expected).abs() <= LOGPROB_TOLERANCE);
                    }
                }
                let perplexity = block_on(model.perplexity(&tokens, &mut NoPause)).unwrap();
                let mean = all.iter().sum::<f64>() / all.len() as f64;
                assert!((perplexity.ln() + mean).abs() < 1e-9, "{}", golden.file);
            }
        }
    }
}

/// The head's matrix, (vocab_size, d_model).
fn head(file: &str) -> Vec<f32> {
    let file = golden::open(&golden::folder().join("models").join(file));
    let product = file.network.plan.head.iter().find(|step| matches!(step.op, Op::MatMul { .. })).unwrap();
    let weight = file.weights.get(product.weights[0]);
    let bytes = block_on(file.gguf.read(&weight.tensor, 0, weight.tensor.bytes as usize)).unwrap();
    let mut values = vec![0.0; weight.rows * weight.columns];
    decode_row(weight.tensor.dtype, &bytes, &mut values);
    values
}

fn embedded(model: &mut Model, texts: &[Vec<u32>], pooling: Pooling, normalize: bool) -> Vec<Vec<f32>> {
    block_on(model.embed(texts, EmbedOptions { pooling, normalize }, &mut NoPause)).unwrap()
}

/// The reference's hidden state is what the head multiplies to the reference's logits: the head has fewer columns than rows.
#[test]
fn the_head_makes_the_golden_logits_of_an_embedding() {
    for backend in backends() {
        for golden in goldens() {
            let (mut model, head) = (load(&golden.file, backend), head(&golden.file));
            for case in &golden.cases {
                for (position, logits) in case.hf.logits() {
                    let text = case.ids[..=position].to_vec();
                    let [hidden] = &embedded(&mut model, &[text], Pooling::Last, false)[..] else { panic!("one text") };
                    assert_eq!(hidden.len(), model.info().d_model);
                    for (row, expected) in head.chunks_exact(hidden.len()).zip(&logits) {
                        let logit: f64 = row.iter().zip(hidden).map(|(w, h)| f64::from(*w) * f64::from(*h)).sum();
                        assert!((logit - f64::from(*expected)).abs() <= TOLERANCE.into(), "{}", golden.file);
                    }
                }
            }
        }
    }
}

#[test]
fn embeddings_are_pooled_and_normalised() {
    for backend in backends() {
        let mut model = load("rwkv7-b-Q4_K_M.gguf", backend);
        // Longer than the smallest chunk.
        let text: Vec<u32> = (0..70).map(|i| (i * 37 + 11) % 512).collect();
        let prefixes: Vec<Vec<u32>> = (1..=text.len()).map(|end| text[..end].to_vec()).collect();
        let last = embedded(&mut model, &prefixes, Pooling::Last, false);
        let [mean] = &embedded(&mut model, std::slice::from_ref(&text), Pooling::Mean, false)[..] else { panic!() };
        let [unit] = &embedded(&mut model, std::slice::from_ref(&text), Pooling::Mean, true)[..] else { panic!() };
        let length = mean.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        for column in 0..mean.len() {
            let expected = last.iter().map(|row| f64::from(row[column])).sum::<f64>() / text.len() as f64;
            assert!((f64::from(mean[column]) - expected).abs() < 1e-4);
            assert!((f64::from(unit[column]) - f64::from(mean[column]) / length).abs() < 1e-6);
        }
    }
}

/// Ends the call at the pause with this number.
struct EndsAt(usize);

impl Pause for EndsAt {
    fn pause(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        self.0 = self.0.wrapping_sub(1);
        Box::pin(ready(if self.0 == usize::MAX { Err(Error::Cancelled) } else { Ok(()) }))
    }
}

fn greedy(max_tokens: usize) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 0.0, ..SamplerOptions::default() };
    GenerateOptions { sampler, max_tokens, ignore_eos: true, ..GenerateOptions::default() }
}

/// The tokens of a completion, with what was reported of them.
fn written(model: &mut Model, generation: &mut Generation, most: usize) -> Vec<(u32, Option<TokenLogprobs>)> {
    let mut tokens = Vec::new();
    while tokens.len() < most
        && let Some(event) = block_on(generation.next(model)).unwrap()
    {
        if let Event::Token { id, logprobs, .. } = event {
            tokens.push((id, logprobs.map(|logprobs| *logprobs)));
        }
    }
    tokens
}

#[test]
fn a_model_is_left_as_it_was_also_in_the_middle_of_an_answer() {
    for backend in backends() {
        let mut model = load("falcon-tiny-Q4_K_M.gguf", backend);
        let prompt = Prompt::Tokens(vec![5, 6, 7, 8]);
        let mut whole = Generation::new(&model, &prompt, greedy(12)).unwrap();
        let expected = written(&mut model, &mut whole, 12);
        model.begin().unwrap();
        let mut generation = Generation::new(&model, &prompt, greedy(12)).unwrap();
        let mut found = written(&mut model, &mut generation, 5);
        let before = block_on(model.save_state()).unwrap();
        let long: Vec<u32> = (0..1100).map(|i| (i * 31 + 1) % 512).collect();
        scores(&mut model, &long[..4], &long[4..80]);
        embedded(&mut model, &[long[..50].to_vec()], Pooling::Mean, true);
        for end in [0, 1, 2] {
            let options = EmbedOptions::default();
            assert_eq!(block_on(model.score(&long, &[1], &mut EndsAt(end))), Err(Error::Cancelled));
            assert_eq!(
                block_on(model.embed(std::slice::from_ref(&long), options, &mut EndsAt(end))),
                Err(Error::Cancelled)
            );
        }
        let after = block_on(model.save_state()).unwrap();
        assert_eq!((&before.tokens, before.pending), (&after.tokens, after.pending));
        assert_eq!(before.state, after.state);
        found.extend(written(&mut model, &mut generation, 12));
        assert_eq!(found, expected);
    }
}

#[test]
fn what_has_no_probability_is_refused() {
    let mut model = load("mamba-tiny-F16.gguf", BackendChoice::Cpu);
    let (vocab_size, options) = (512, EmbedOptions::default());
    assert_eq!(block_on(model.score(&[], &[1], &mut NoPause)), Err(Error::EmptyPrompt));
    assert_eq!(block_on(model.score(&[1], &[], &mut NoPause)), Ok(vec![]));
    let outside = Error::TokenRange { token: 512, vocab_size };
    assert_eq!(block_on(model.score(&[512], &[1], &mut NoPause)).unwrap_err(), outside);
    assert_eq!(block_on(model.score(&[1], &[1, 512], &mut NoPause)).unwrap_err(), outside);
    assert_eq!(block_on(model.embed(&[vec![1], vec![512]], options, &mut NoPause)).unwrap_err(), outside);
    assert_eq!(block_on(model.embed(&[vec![1], vec![]], options, &mut NoPause)).unwrap_err(), Error::EmptyPrompt);
    assert_eq!(block_on(model.embed(&[], options, &mut NoPause)), Ok(vec![]));
    for text in [&[][..], &[1]] {
        let refused = block_on(model.perplexity(text, &mut NoPause)).unwrap_err();
        assert_eq!(refused.code(), "invalid-request");
    }
    let with = |change: fn(&mut GenerateOptions)| {
        let mut options = greedy(1);
        change(&mut options);
        Generation::new(&model, &Prompt::Tokens(vec![1]), options).err()
    };
    assert!(matches!(with(|o| o.logprobs = Some(21)), Some(Error::InvalidOption { option: "logprobs", .. })));
    let biased = with(|o| o.sampler.logit_bias = vec![(512, 1.0)]);
    assert!(matches!(biased, Some(Error::InvalidOption { option: "logitBias", .. })));
}

/// Alone and in a batch, on the CPU and where a GPU would sample by itself: the same tokens, and each with its score.
#[test]
fn sampled_tokens_have_the_log_probabilities_of_their_scores() {
    let prompt: Vec<u32> = vec![5, 60, 7, 80];
    for backend in backends() {
        let mut model = load("rwkv7-b-Q4_K_M.gguf", backend);
        let sampler = SamplerOptions { temperature: 1.5, seed: Some(3), ..SamplerOptions::default() };
        let plain = GenerateOptions { sampler, ..greedy(10) };
        let reported = GenerateOptions { logprobs: Some(4), ..plain.clone() };
        let silent = written_by(&mut model, &prompt, &plain);
        let alone = written_by(&mut model, &prompt, &reported);
        assert!(silent.iter().all(|(_, logprobs)| logprobs.is_none()));
        let ids: Vec<u32> = alone.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, silent.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        let expected = scores(&mut model, &prompt, &ids);
        check_report(&alone, &expected);

        let prompts = [Prompt::Tokens(prompt.clone()), Prompt::Tokens(vec![9, 9])];
        let mut batch = Generation::batch(&model, &prompts, &reported, 2).unwrap();
        let mut first = Vec::new();
        while let Some(event) = block_on(batch.next_indexed(&mut model)).unwrap() {
            if let (0, Event::Token { id, logprobs, .. }) = (event.index, event.event) {
                first.push((id, logprobs.map(|logprobs| *logprobs)));
            }
        }
        assert_eq!(first.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
        check_report(&first, &expected);
    }
}

fn written_by(model: &mut Model, prompt: &[u32], options: &GenerateOptions) -> Vec<(u32, Option<TokenLogprobs>)> {
    let mut generation = Generation::new(model, &Prompt::Tokens(prompt.to_vec()), options.clone()).unwrap();
    written(model, &mut generation, options.max_tokens)
}

fn check_report(tokens: &[(u32, Option<TokenLogprobs>)], expected: &[f64]) {
    assert_eq!(tokens.len(), expected.len());
    for ((id, logprobs), expected) in tokens.iter().zip(expected) {
        let TokenLogprobs { token, top } = logprobs.as_ref().unwrap();
        assert_eq!(token.logprob.id, *id);
        assert!((token.logprob.logprob - expected).abs() < 1e-3, "{} and {expected}", token.logprob.logprob);
        assert_eq!(top.len(), 4);
        assert!(top.windows(2).all(|pair| pair[0].logprob.logprob >= pair[1].logprob.logprob));
        assert!(top[0].logprob.logprob >= token.logprob.logprob);
        assert!(top.iter().all(|other| other.logprob.id != *id || other == token));
    }
}

#[test]
fn a_bias_forces_and_bans_tokens_and_leaves_log_probabilities_alone() {
    for backend in backends() {
        let mut model = load("falcon-tiny-Q4_K_M.gguf", backend);
        let (prompt, plain) = (vec![5, 6, 7], greedy(4));
        let free = written_by(&mut model, &prompt, &plain)[0].0;
        let mut options = GenerateOptions { logprobs: Some(0), ..plain };
        options.sampler.logit_bias = vec![(9, 100.0)];
        let forced = written_by(&mut model, &prompt, &options);
        assert!(forced.iter().all(|(id, _)| *id == 9));
        let expected = scores(&mut model, &prompt, &[9; 4]);
        for ((_, logprobs), expected) in forced.iter().zip(expected) {
            let found = logprobs.as_ref().unwrap().token.logprob.logprob;
            assert!((found - expected).abs() < 1e-3 && found < -0.01, "{found} and {expected}");
        }
        options.sampler.logit_bias = vec![(free, -100.0)];
        assert!(written_by(&mut model, &prompt, &options).iter().all(|(id, _)| *id != free));
    }
}
