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
