//! Generation on a GPU (a software one in CI): tokens sampled on the device, steps that run ahead of the host and are rolled back, and
//! batches.

use crate::support::{every_round, golden};
use std::rc::Rc;

use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::executor::{Activations, Executor, Outputs};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::gpu::{Gpu, GpuExecutor, GpuOptions};
use web_mamba::model::State;
use web_mamba::sampler::{Sampler, SamplerOptions};
use web_mamba::source::{ByteSource, FileSource};

fn model(file: &str, backend: BackendChoice) -> Model {
    model_with(file, backend, Activations::F32)
}

fn model_with(file: &str, backend: BackendChoice, activations: Activations) -> Model {
    let path = golden::folder().join("models").join(file);
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(&path).unwrap());
    let gpu = GpuOptions { software: Some(false), ..Default::default() };
    let options = LoadOptions { backend, activations: Some(activations), gpu, ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

/// A model of each architecture.
fn gpus() -> impl Iterator<Item = Model> {
    ["falcon-tiny-Q4_K_M.gguf", "rwkv7-b-Q4_K_M.gguf"].into_iter().map(|file| model(file, BackendChoice::WebGpu))
}

/// Every way to sample: greedy, the defaults, and all filters and penalties.
fn samplers() -> [SamplerOptions; 4] {
    let defaults = SamplerOptions::default();
    [
        SamplerOptions { temperature: 0.0, ..defaults.clone() },
        SamplerOptions { seed: Some(7), ..defaults.clone() },
        SamplerOptions { temperature: 1.5, top_k: 0, top_p: 1.0, min_p: 0.0, seed: Some(3), ..defaults.clone() },
        SamplerOptions {
            temperature: 1.0,
            repetition_penalty: 1.3,
            frequency_penalty: 0.4,
            presence_penalty: 0.2,
            penalty_last_n: 8,
            seed: Some(11),
            ..defaults
        },
    ]
}

fn prompt(seed: u32) -> Vec<u32> {
    (0..21).map(|i| (i * 37 + 11 * seed) % 512).collect()
}

fn options(sampler: SamplerOptions, max_tokens: usize) -> GenerateOptions {
    GenerateOptions { sampler, max_tokens, ignore_eos: true, ..Default::default() }
}

fn ids_of(model: &mut Model, prompt: Vec<u32>, options: GenerateOptions) -> Vec<u32> {
    let mut generation = Generation::new(model, &Prompt::Tokens(prompt), options).unwrap();
    let mut ids = Vec::new();
    while let Some(event) = block_on(generation.next(model)).unwrap() {
        if let Event::Token { id, .. } = event {
            ids.push(id);
        }
    }
    ids
}

/// What the host samples from logits that are read back, step by step.
fn ids_step_by_step(model: &mut Model, prompt: &[u32], sampler: SamplerOptions, count: usize) -> Vec<u32> {
    let mut sampler = Sampler::new(sampler).unwrap();
    prompt.iter().for_each(|&token| sampler.accept(token));
    let mut logits = block_on(model.logits(prompt)).unwrap();
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = sampler.sample_unchecked(&mut logits);
        sampler.accept(id);
        ids.push(id);
        logits = block_on(model.executor().forward(0, &[id], Outputs::Last)).unwrap();
    }
    ids
}

#[test]
fn the_device_samples_what_the_host_would() {
    gpus().for_each(|mut model| samples_as_the_host(&mut model));
}

fn samples_as_the_host(model: &mut Model) {
    let mut all = Vec::new();
    for sampler in samplers() {
        let expected = ids_step_by_step(model, &prompt(1), sampler.clone(), 40);
        assert_eq!(ids_of(model, prompt(1), options(sampler.clone(), 40)), expected, "{sampler:?}");
        all.push(expected);
    }
    all.dedup();
    assert_eq!(all.len(), samplers().len(), "the options change nothing");
}

/// After a completion the state is that of the tokens that were read, whatever ran ahead; and so in the middle of one.
#[test]
fn steps_that_ran_ahead_are_rolled_back() {
    gpus().for_each(|mut model| rolls_steps_back(&mut model));
}

fn rolls_steps_back(model: &mut Model) {
    let sampler = samplers()[1].clone();
    let ids = ids_of(model, prompt(2), options(sampler.clone(), 12));
    // The last token was given out and not read.
    let read: Vec<u32> = prompt(2).into_iter().chain(ids[..11].iter().copied()).collect();
    let after = block_on(model.executor().read_state(0)).unwrap();
    assert_eq!(after.position, read.len() as u64);
    block_on(model.logits(&read)).unwrap();
    let expected = block_on(model.executor().read_state(0)).unwrap();
    let close = |a: &State, b: &State| {
        a.tensors.iter().flatten().zip(b.tensors.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-4)
    };
    assert!(close(&after, &expected), "the state has run ahead");

    // Looking at the state between two tokens changes none that follow.
    let mut generation = Generation::new(model, &Prompt::Tokens(prompt(2)), options(sampler, 12)).unwrap();
    let mut again = Vec::new();
    while let Some(event) = block_on(generation.next(model)).unwrap() {
        if let Event::Token { id, .. } = event {
            again.push(id);
            if again.len() == 5 {
                let state = block_on(model.executor().read_state(0)).unwrap();
                assert_eq!(state.position, prompt(2).len() as u64 + 4);
            }
        }
    }
    assert_eq!(again, ids);
}

/// Timing the kernels in the middle of a completion, while steps run ahead, changes neither state nor tokens.
#[test]
fn profiling_changes_no_completion() {
    gpus().take(if every_round() { 2 } else { 1 }).for_each(|mut model| is_profiled(&mut model));
}

fn is_profiled(model: &mut Model) {
    let sample = |model: &mut Model, count: usize, profiled: Option<usize>| {
        model.executor().reset(0).unwrap();
        let mut sampler = Sampler::new(samplers()[1].clone()).unwrap();
        let mut next = prompt(2);
        let mut ids = Vec::new();
        for step in 0..count {
            let id = block_on(model.executor().sample(0, &next, &mut sampler)).unwrap();
            sampler.accept(id);
            ids.push(id);
            next = vec![id];
            if profiled == Some(step) {
                block_on(model.executor().instruments().unwrap().stage_times(1)).unwrap();
            }
        }
        (ids, block_on(model.executor().read_state(0)).unwrap())
    };
    let (ids, state) = sample(model, 9, None);
    // In the middle, where the next tokens follow; and at the end, where what ran ahead is rolled back.
    for step in [4, 8] {
        assert_eq!(sample(model, 9, Some(step)), (ids.clone(), state.clone()), "profiled after step {step}");
    }
}

/// The ids of each completion of a batch are those of the completion alone, with fewer sequences than prompts and with one each.
#[test]
fn completions_of_a_batch_are_those_of_one_at_a_time() {
    for (file, backend) in [
        ("mamba-tiny-Q8_0.gguf", BackendChoice::WebGpu),
        ("mamba-tiny-Q8_0.gguf", BackendChoice::Cpu),
        ("rwkv7-a-F16.gguf", BackendChoice::WebGpu),
    ] {
        let mut model = model(file, backend);
        let prompts: Vec<Vec<u32>> = (0..5).map(|i| prompt(i)[..5 + 4 * i as usize].to_vec()).collect();
        for sampler in [samplers()[0].clone(), samplers()[3].clone()] {
            let alone: Vec<_> = (0..)
                .zip(&prompts)
                .map(|(i, prompt)| {
                    let sampler = SamplerOptions { seed: sampler.seed.map(|seed| seed + i), ..sampler.clone() };
                    ids_of(&mut model, prompt.clone(), options(sampler, 10))
                })
                .collect();
            for sequences in [2, 5, 8] {
                let all: Vec<_> = prompts.iter().map(|tokens| Prompt::Tokens(tokens.clone())).collect();
                let many = Generation::batch(&model, &all, &options(sampler.clone(), 10), sequences);
                let mut many = many.unwrap();
                let mut ids = vec![Vec::new(); prompts.len()];
                let mut ends = vec![0; prompts.len()];
                while let Some(event) = block_on(many.next_indexed(&mut model)).unwrap() {
                    match event.event {
                        Event::Token { id, .. } => ids[event.index].push(id),
                        Event::End { tokens, .. } => {
                            assert_eq!(tokens, 10);
                            ends[event.index] += 1;
                        }
                        Event::Prefill { .. } => {}
                    }
                }
                assert_eq!(ends, [1; 5]);
                assert_eq!(ids, alone, "{sequences} sequences on {backend:?}, {sampler:?}");
                assert_eq!(model.executor().sequences(), 1);
            }
        }
    }
}

/// A sequence that leaves a batch, and one that stays, has the state of the tokens that were read.
#[test]
fn batch_steps_that_ran_ahead_are_rolled_back() {
    gpus().for_each(|mut model| rolls_batch_steps_back(&mut model));
}

fn rolls_batch_steps_back(model: &mut Model) {
    let prompts: Vec<_> = (0..3).map(prompt).collect();
    let greedy = samplers()[0].clone();
    let alone: Vec<_> =
        prompts.iter().map(|prompt| ids_of(model, prompt.clone(), options(greedy.clone(), 9))).collect();
    block_on(model.begin_sequences(3)).unwrap();
    let mut samplers = vec![Sampler::new(greedy).unwrap(); 3];
    let mut ids = vec![Vec::new(); 3];
    for (sequence, sampler) in samplers.iter_mut().enumerate() {
        ids[sequence].push(block_on(model.executor().sample(sequence, &prompts[sequence], sampler)).unwrap());
    }
    for step in 0..8 {
        // The second leaves after three steps.
        let rows: Vec<usize> = if step < 3 { vec![0, 1, 2] } else { vec![0, 2] };
        let tokens: Vec<_> = rows.iter().map(|&row| (row, ids[row][step])).collect();
        let mut all: Vec<Option<&mut Sampler>> = samplers.iter_mut().map(Some).collect();
        let mut those: Vec<_> = rows.iter().filter_map(|&row| all[row].take()).collect();
        let chosen = block_on(model.executor().sample_batch(&tokens, &mut those)).unwrap();
        rows.iter().zip(chosen).for_each(|(&row, id)| ids[row].push(id));
    }
    assert_eq!([&ids[0], &ids[2]], [&alone[0], &alone[2]]);
    assert_eq!(ids[1], alone[1][..4]);
    let states: Vec<_> = (0..3).map(|row| block_on(model.executor().read_state(row)).unwrap()).collect();
    for (row, state) in states.iter().enumerate() {
        let read = ids[row].len() - 1;
        let tokens: Vec<u32> = prompts[row].iter().chain(&ids[row][..read]).copied().collect();
        assert_eq!(state.position, tokens.len() as u64);
        block_on(model.begin_sequences(1)).unwrap();
        block_on(model.logits(&tokens)).unwrap();
        let expected = block_on(model.executor().read_state(0)).unwrap();
        let close = |a: &State, b: &State| {
            a.tensors.iter().flatten().zip(b.tensors.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-4)
        };
        assert!(close(state, &expected), "sequence {row} has run ahead");
    }
}

/// A prompt longer than a chunk, in chunks of every size, leaves the state that its tokens one by one leave.
#[test]
fn long_prompts_in_large_chunks_equal_single_tokens() {
    for (file, activations) in [
        ("falcon-tiny-Q4_K_M.gguf", Activations::F32),
        ("falcon-tiny-Q4_K_M.gguf", Activations::Q8),
        ("rwkv7-b-Q4_K_M.gguf", Activations::F32),
        ("rwkv7-a-Q8_0.gguf", Activations::Q8),
    ] {
        let file = golden::open(&golden::folder().join("models").join(file));
        let options = GpuOptions { software: Some(false), ..Default::default() };
        let gpu = block_on(Gpu::open(&options)).unwrap();
        let mut executor = block_on(GpuExecutor::load(gpu, &file, activations, &mut |_| {})).unwrap();
        let count = if every_round() { 300 } else { 150 };
        let tokens: Vec<u32> = (0..count).map(|i| (i * 53 + 7) % 512).collect();
        let mut expected = Vec::new();
        for &token in &tokens {
            expected = block_on(executor.forward(0, &[token], Outputs::Last)).unwrap();
        }
        let sizes = if every_round() { &[300, 129, 70, 17][..] } else { &[150, 70] };
        for &size in sizes {
            executor.reset(0).unwrap();
            let mut logits = Vec::new();
            for chunk in tokens.chunks(size) {
                executor.set_max_tokens(size);
                logits = block_on(executor.forward(0, chunk, Outputs::Last)).unwrap();
            }
            let mean_square = |v: &mut dyn Iterator<Item = f32>| v.map(|v| v * v).sum::<f32>() / expected.len() as f32;
            let error = mean_square(&mut logits.iter().zip(&expected).map(|(a, b)| a - b));
            let relative = (error / mean_square(&mut expected.iter().copied())).sqrt();
            // 8-bit activations round a value near the middle of two quants either way.
            let bound = if activations == Activations::F32 { 1e-4 } else { 0.05 };
            assert!(relative < bound, "chunks of {size}, {activations:?}: {relative}");
        }
    }
}

fn seeded() -> SamplerOptions {
    SamplerOptions { seed: Some(1), ..SamplerOptions::default() }
}

/// The device says so itself, whatever runs ahead, with both kinds of activations; what follows a fresh state is as before.
#[test]
fn a_highest_logit_that_is_not_finite_is_refused() {
    for (file, activations) in ["falcon-tiny-Q4_K_M.gguf", "rwkv7-b-Q4_K_M.gguf"]
        .into_iter()
        .flat_map(|file| [(file, Activations::F32), (file, Activations::Q8)])
    {
        let mut model = model_with(file, BackendChoice::WebGpu, activations);
        let executor = model.executor();
        let right = State::new(executor.network());
        let mut sampler = Sampler::new(seeded()).unwrap();
        let expected = block_on(executor.sample(0, &[5, 6], &mut sampler.clone())).unwrap();
        // Of each tensor of a layer's state: the past of a convolution or of a token shift, and what a recurrence carries.
        let tensors = executor.network().state.len() / executor.network().n_layers;
        for (tensor, odd) in (0..tensors).flat_map(|tensor| [(tensor, f32::NAN), (tensor, f32::INFINITY)]) {
            // What a convolution makes of infinity, its activation may turn into nothing.
            if tensor == 0 && odd == f32::INFINITY {
                continue;
            }
            let mut state = right.clone();
            state.tensors[tensor][3] = odd;
            executor.write_state(0, &state).unwrap();
            for tokens in [&[5, 6][..], &[7], &[8]] {
                let chosen = block_on(executor.sample(0, tokens, &mut sampler));
                assert_eq!(chosen.unwrap_err().code(), "not-finite", "{odd}, {activations:?}");
            }
            executor.write_state(0, &right).unwrap();
            let mut sampler = Sampler::new(seeded()).unwrap();
            assert_eq!(block_on(executor.sample(0, &[5, 6], &mut sampler)).unwrap(), expected);
        }
    }
}
