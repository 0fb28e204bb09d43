//! Answers whose tokens a constraint decides: on every executor path, across a lost device, after thoughts, and where it allows nothing.

use std::cell::RefCell;
use std::rc::Rc;

use crate::support::golden;
use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::{Error, Result};
use web_mamba::executor::Activations;
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt, StopReason};
use web_mamba::sampler::SamplerOptions;
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::{Allowed, Constraint, TokenMask};

fn sources(name: &str) -> Vec<Rc<dyn ByteSource>> {
    vec![Rc::new(FileSource::open(&golden::folder().join("models").join(name)).unwrap())]
}

fn options() -> LoadOptions {
    LoadOptions { backend: BackendChoice::Cpu, activations: Some(Activations::F32), ..Default::default() }
}

#[cfg(feature = "gpu")]
fn load_on_gpu(name: &str) -> Model {
    let gpu = web_mamba::gpu::GpuOptions { software: Some(false), ..Default::default() };
    let options = LoadOptions { backend: BackendChoice::WebGpu, gpu, ..options() };
    block_on(Model::load(sources(name), &options, &mut |_, _| {})).unwrap()
}

fn load(name: &str) -> Model {
    block_on(Model::load(sources(name), &options(), &mut |_, _| {})).unwrap()
}

/// Lists of tokens, one a step, and how it was asked. After the last list the answer is whole.
struct Steps {
    lists: Vec<Vec<u32>>,
    may_end: bool,
    taken: Rc<RefCell<Vec<u32>>>,
}

impl Steps {
    fn new(lists: &[&[u32]]) -> (Box<Self>, Rc<RefCell<Vec<u32>>>) {
        let taken = Rc::<RefCell<Vec<u32>>>::default();
        let lists = lists.iter().map(|list| list.to_vec()).collect();
        (Box::new(Self { lists, may_end: false, taken: Rc::clone(&taken) }), taken)
    }
}

impl Constraint for Steps {
    fn allowed(&mut self) -> Result<Allowed> {
        let at = self.taken.borrow().len();
        let mut tokens = TokenMask::default();
        self.lists.get(at).into_iter().flatten().for_each(|&token| tokens.insert(token));
        Ok(Allowed { tokens, may_end: self.may_end || at >= self.lists.len() })
    }

    fn take(&mut self, token: u32) -> Result<()> {
        let at = self.taken.borrow().len();
        assert!(self.lists[at].contains(&token), "token {token} was not allowed");
        self.taken.borrow_mut().push(token);
        Ok(())
    }
}

fn sampled(temperature: f32) -> GenerateOptions {
    let sampler = SamplerOptions { temperature, seed: Some(3), ..Default::default() };
    GenerateOptions { sampler, max_tokens: 40, ..Default::default() }
}

fn run(model: &mut Model, mut generation: Generation) -> Result<(Vec<u32>, Vec<StopReason>)> {
    let (mut ids, mut stops) = (Vec::new(), Vec::new());
    while let Some(event) = block_on(generation.next(model))? {
        match event {
            Event::Token { id, .. } => ids.push(id),
            Event::End { stop, .. } => stops.push(stop),
            Event::Prefill { .. } => {}
        }
    }
    Ok((ids, stops))
}

const LISTS: [&[u32]; 6] = [&[70, 71, 72], &[80], &[81], &[100, 101, 102, 103], &[90, 91], &[60]];
const PROMPT: [u32; 4] = [10, 20, 30, 40];

#[test]
fn an_answer_is_of_allowed_tokens_and_ends_where_nothing_may_follow() {
    for name in ["falcon-tiny-Q4_K_M.gguf", "rwkv7-a-Q8_0.gguf"] {
        let mut model = load(name);
        for temperature in [0.0, 1.0, 5.0] {
            let prompt = Prompt::Tokens(PROMPT.to_vec());
            let mut generation = Generation::new(&model, &prompt, sampled(temperature)).unwrap();
            let (steps, taken) = Steps::new(&LISTS);
            generation.constrain(&model, 0, steps, 0).unwrap();
            let (ids, stops) = run(&mut model, generation).unwrap();
            assert_eq!((ids.len(), stops), (LISTS.len(), vec![StopReason::Eos]), "{name} at {temperature}");
            assert_eq!(*taken.borrow(), ids);
            // What follows is read after all of it, as after any answer.
            let all: Vec<u32> = PROMPT.iter().chain(&ids).copied().collect();
            let more = Prompt::Tokens(all.iter().copied().chain([50, 51]).collect());
            let kept = run_plain(&mut model, &more, true);
            assert_eq!(kept, run_plain(&mut model, &more, false), "{name} at {temperature}");
        }
    }
}

/// A token that is the only one possible is read with those after it: what the model has read, after each token of the answer.
#[test]
fn tokens_that_are_the_only_ones_are_read_as_one_chunk() {
    let check = |mut model: Model| {
        let prompt = Prompt::Tokens(PROMPT.to_vec());
        let mut generation = Generation::new(&model, &prompt, sampled(1.0)).unwrap();
        generation.constrain(&model, 0, Steps::new(&LISTS).0, 0).unwrap();
        let (mut all, mut read) = (PROMPT.to_vec(), Vec::new());
        while let Some(event) = block_on(generation.next(&mut model)).unwrap() {
            if let Event::Token { id, .. } = event {
                all.push(id);
                read.push(model.known_tokens(&all));
            }
        }
        assert_eq!(read, [4, 4, 4, 7, 8, 8]);
    };
    check(load("mamba-tiny-Q4_K_M.gguf"));
    #[cfg(feature = "gpu")]
    check(load_on_gpu("mamba-tiny-Q4_K_M.gguf"));
}

/// Also where several tokens of the answer are not read yet, and on with the same generation.
#[test]
fn a_state_that_is_saved_between_two_tokens_goes_on() {
    let check = |mut model: Model| {
        let prompt = Prompt::Tokens(PROMPT.to_vec());
        let start = |model: &Model| {
            let mut generation = Generation::new(model, &prompt, sampled(1.0)).unwrap();
            generation.constrain(model, 0, Steps::new(&LISTS).0, 0).unwrap();
            generation
        };
        let generation = start(&model);
        let whole = run(&mut model, generation).unwrap().0;
        for saved_after in 1..=LISTS.len() {
            model.checkpoints().clear();
            model.begin().unwrap();
            let mut generation = start(&model);
            let mut ids = Vec::new();
            while ids.len() < saved_after {
                if let Some(Event::Token { id, .. }) = block_on(generation.next(&mut model)).unwrap() {
                    ids.push(id);
                }
            }
            let state = block_on(model.save_state()).unwrap();
            assert_eq!((state.tokens.len(), state.pending), (3 + saved_after, ids.last().copied()), "{saved_after}");
            let mut resumed = ids.clone();
            ids.extend(run(&mut model, generation).unwrap().0);
            assert_eq!(ids, whole, "after {saved_after}");
            block_on(model.restore_state(&state)).unwrap();
            let options = GenerateOptions { resume: true, ..sampled(1.0) };
            let mut generation = Generation::new(&model, &Prompt::Text(String::new()), options).unwrap();
            generation.constrain(&model, 0, Steps::new(&LISTS).0, saved_after).unwrap();
            resumed.extend(run(&mut model, generation).unwrap().0);
            assert_eq!(resumed, whole, "resumed after {saved_after}");
        }
    };
    check(load("mamba-tiny-Q4_K_M.gguf"));
    #[cfg(feature = "gpu")]
    check(load_on_gpu("mamba-tiny-Q4_K_M.gguf"));
}

/// With any sampler, alone and beside others of a batch with and without a constraint; and what is generated after it.
#[cfg(feature = "gpu")]
#[test]
fn on_a_gpu_answers_are_those_of_the_cpu() {
    let many: Vec<Vec<u32>> = (0..30)
        .map(|step| match step % 5 {
            // In one word of the mask, in several, two alone, and all but some.
            0 => (64 + step..80 + step).collect(),
            1 => vec![300 + step],
            2 => (0..512).filter(|token| token % 7 == step % 7).collect(),
            3 => vec![5, 511],
            _ => (0..512).filter(|token| token % 9 != 0).collect(),
        })
        .collect();
    let lists: Vec<&[u32]> = many.iter().map(Vec::as_slice).collect();
    let base = SamplerOptions { seed: Some(5), ..Default::default() };
    let hot = SamplerOptions { temperature: 1.5, top_k: 0, top_p: 1.0, min_p: 0.0, ..base.clone() };
    let samplers = [
        base.clone(),
        SamplerOptions { temperature: 0.0, ..base },
        SamplerOptions { repetition_penalty: 1.3, frequency_penalty: 0.4, penalty_last_n: 8, ..hot.clone() },
        SamplerOptions { logit_bias: vec![(5, 3.0)], ..hot.clone() },
        hot,
    ];
    for name in ["falcon-tiny-Q4_K_M.gguf", "rwkv7-b-Q4_K_M.gguf"] {
        let (mut cpu, mut gpu) = (load(name), load_on_gpu(name));
        for sampler in &samplers {
            let options = GenerateOptions { sampler: sampler.clone(), ignore_eos: true, ..sampled(0.0) };
            for sequences in [1, 3] {
                let answers = |model: &mut Model| {
                    let prompts: Vec<_> =
                        (0..sequences).map(|first: u32| Prompt::Tokens(vec![first, 20, 30])).collect();
                    let mut generation = Generation::batch(model, &prompts, &options, prompts.len()).unwrap();
                    generation.constrain(model, 0, Steps::new(&lists).0, 0).unwrap();
                    if sequences > 1 {
                        generation.constrain(model, 2, Steps::new(&lists[4..20]).0, 0).unwrap();
                    }
                    let mut ids = vec![Vec::new(); prompts.len()];
                    while let Some(event) = block_on(generation.next_indexed(model)).unwrap() {
                        if let Event::Token { id, .. } = event.event {
                            ids[event.index].push(id);
                        }
                    }
                    assert_eq!(ids[0].len(), lists.len());
                    let after = Prompt::Tokens(vec![7, 8]);
                    ids.push(run_plain(model, &after, false));
                    ids
                };
                assert_eq!(answers(&mut gpu), answers(&mut cpu), "{name}, {sequences} sequences, {sampler:?}");
            }
        }
    }
}

fn run_plain(model: &mut Model, prompt: &Prompt, reuse: bool) -> Vec<u32> {
    let options = GenerateOptions { reuse, max_tokens: 6, ..sampled(0.0) };
    let generation = Generation::new(model, prompt, options).unwrap();
    run(model, generation).unwrap().0
}

#[test]
fn each_of_a_batch_has_its_own() {
    let mut model = load("mamba-tiny-Q4_K_M.gguf");
    let prompts = [vec![10, 20], vec![30], vec![10, 20]].map(Prompt::Tokens);
    let mut generation = Generation::batch(&model, &prompts, &sampled(1.0), 2).unwrap();
    let (first, first_taken) = Steps::new(&[&[70, 71], &[72, 73], &[74]]);
    let (third, third_taken) = Steps::new(&[&[80, 81], &[82]]);
    generation.constrain(&model, 0, first, 0).unwrap();
    generation.constrain(&model, 2, third, 0).unwrap();
    let mut ids = vec![Vec::new(); 3];
    while let Some(event) = block_on(generation.next_indexed(&mut model)).unwrap() {
        if let Event::Token { id, .. } = event.event {
            ids[event.index].push(id);
        }
    }
    assert_eq!((&ids[0], &ids[2]), (&*first_taken.borrow(), &*third_taken.borrow()));
    assert_eq!((ids[0].len(), ids[2].len()), (3, 2));
    // The one without is as it would be alone.
    let mut alone = sampled(1.0);
    alone.sampler.seed = Some(4);
    let generation = Generation::new(&model, &prompts[1], alone).unwrap();
    assert_eq!(ids[1], run(&mut model, generation).unwrap().0);
}

#[test]
fn after_a_loss_it_is_told_nothing_twice() {
    let mut model = load("mamba-tiny-Q4_K_M.gguf");
    let prompt = Prompt::Tokens(PROMPT.to_vec());
    let whole = |model: &mut Model| {
        let mut generation = Generation::new(model, &prompt, sampled(1.0)).unwrap();
        generation.constrain(model, 0, Steps::new(&LISTS).0, 0).unwrap();
        run(model, generation).unwrap().0
    };
    let expected = whole(&mut model);
    for lost_after in 0..9 {
        let mut generation = Generation::new(&model, &prompt, sampled(1.0)).unwrap();
        let (steps, taken) = Steps::new(&LISTS);
        generation.constrain(&model, 0, steps, 0).unwrap();
        let mut ids = Vec::new();
        for event in 0.. {
            if event == lost_after {
                block_on(model.reload(sources("mamba-tiny-Q4_K_M.gguf"), &options(), &mut |_, _| {})).unwrap();
            }
            match block_on(generation.next(&mut model)).unwrap() {
                Some(Event::Token { id, .. }) => ids.push(id),
                Some(_) => {}
                None => break,
            }
        }
        assert_eq!(ids, expected, "lost after {lost_after} events");
        assert_eq!(*taken.borrow(), expected);
    }
}

#[test]
fn what_is_written_already_is_gone_on_with() {
    let mut model = load("mamba-tiny-Q4_K_M.gguf");
    let prompt = Prompt::Tokens(PROMPT.iter().copied().chain([71, 80]).collect());
    let mut generation = Generation::new(&model, &prompt, sampled(1.0)).unwrap();
    let (steps, taken) = Steps::new(&LISTS);
    generation.constrain(&model, 0, steps, 2).unwrap();
    assert_eq!(*taken.borrow(), [71, 80]);
    let (ids, stops) = run(&mut model, generation).unwrap();
    assert_eq!((ids.len(), stops), (LISTS.len() - 2, vec![StopReason::Eos]));
    // One that is whole already has nothing to write.
    let mut generation = Generation::new(&model, &prompt, sampled(1.0)).unwrap();
    generation.constrain(&model, 0, Steps::new(&LISTS[..2]).0, 2).unwrap();
    assert_eq!(run(&mut model, generation).unwrap(), (vec![], vec![StopReason::Eos]));
}

#[test]
fn nothing_allowed_is_an_error_at_once_or_when_it_comes_to_it() {
    let mut model = load("mamba-tiny-Q4_K_M.gguf");
    let prompt = Prompt::Tokens(PROMPT.to_vec());
    let mut generation = Generation::new(&model, &prompt, sampled(1.0)).unwrap();
    // Also where what is allowed is outside the model's vocabulary.
    for lists in [&[&[][..], &[70]][..], &[&[4_000_000][..], &[70]]] {
        let refused = generation.constrain(&model, 0, Steps::new(lists).0, 0);
        assert!(matches!(refused, Err(Error::Grammar { .. })), "{refused:?}");
    }
    for prompts in [1, 2] {
        let prompts = vec![prompt.clone(); prompts];
        let mut generation = Generation::batch(&model, &prompts, &sampled(1.0), 2).unwrap();
        generation.constrain(&model, 0, Steps::new(&[&[70, 71], &[72], &[], &[73]]).0, 0).unwrap();
        let failed = run(&mut model, generation);
        assert!(matches!(failed, Err(Error::Grammar { .. })), "{failed:?}");
        let error = failed.unwrap_err();
        assert_eq!(error.code(), "grammar");
        assert!(!error.remedy().is_empty());
    }
}

#[test]
fn an_end_token_is_allowed_only_where_the_answer_may_end() {
    let mut model = load("falcon-tiny-Q4_K_M.gguf");
    let ends = model.tokenizer().unwrap().stop_tokens().to_vec();
    let &[end, ..] = ends.as_slice() else { panic!("the model has an end token") };
    let prompt = Prompt::Tokens(PROMPT.to_vec());
    let lists: Vec<&[u32]> = vec![&[70, 71, 72]; 30];
    let answer = |model: &mut Model, may_end, list: Vec<u32>| {
        let mut generation = Generation::new(model, &prompt, sampled(5.0)).unwrap();
        let (mut steps, _) = Steps::new(&lists);
        steps.lists.iter_mut().for_each(|each| each.extend(&list));
        steps.may_end = may_end;
        generation.constrain(model, 0, steps, 0).unwrap();
        run(model, generation).unwrap()
    };
    // Even where the constraint would have it as a token of the answer.
    let (ids, stops) = answer(&mut model, false, vec![end]);
    assert_eq!((ids.len(), stops), (30, vec![StopReason::Eos]));
    let (ids, stops) = answer(&mut model, true, vec![]);
    assert_eq!(stops, [StopReason::Eos]);
    assert!(!ids.contains(&end) && ids.len() < 30, "of four tokens one ends it: {} were written", ids.len());
}

#[test]
fn tokens_that_are_the_only_ones_leave_the_draws_as_they_are() {
    let mut model = load("mamba-tiny-Q4_K_M.gguf");
    let prompt = Prompt::Tokens(PROMPT.to_vec());
    // The second list has a twin that the sampler must choose from, of which one is never likely.
    let free = |model: &mut Model, lists: &[&[u32]]| {
        let mut generation = Generation::new(model, &prompt, sampled(1.0)).unwrap();
        generation.constrain(model, 0, Steps::new(lists).0, 0).unwrap();
        run(model, generation).unwrap().0
    };
    let all: Vec<u32> = (0..200).collect();
    let forced = free(&mut model, &[&all, &[80], &all, &all]);
    let first = free(&mut model, &[&all, &all, &all, &all]);
    assert_eq!(forced[0], first[0]);
    let again = free(&mut model, &[&[first[0]], &[first[1]], &all, &all]);
    assert_eq!(again, first);
}
