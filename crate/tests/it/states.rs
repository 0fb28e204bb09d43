//! States as values: saving, restoring and forking against a plain replay, prompts that begin as earlier ones did, and files.

use std::rc::Rc;

use crate::support::random_model::{RandomModel, Shape};
use crate::support::runs::{Run, run_until};
use pollster::block_on;
use web_mamba::checkpoints::CheckpointKind;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::fingerprint::BeginningHash;
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};
use web_mamba::model::State;
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::rwkv7::{Ranks, Rwkv7};
use web_mamba::quant::DType;
use web_mamba::sampler::SamplerOptions;
use web_mamba::snapshot::{Numbers, Snapshot};
use web_mamba::source::{ByteSource, FileSource, MemorySource};
use web_mamba::synthetic::Synthetic;
use web_mamba::tokenizer::{ChatMessage, Special};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf");

const VOCAB: u32 = 61;

/// So small that a token takes microseconds.
fn sources(seed: u64) -> Vec<Rc<dyn ByteSource>> {
    let shape = Shape {
        d_model: 32,
        d_inner: 32,
        d_state: 4,
        d_conv: 4,
        dt_rank: 32,
        vocab_size: VOCAB as usize,
        norm_dt_b_c: true,
        tied_head: false,
    };
    RandomModel::new(&shape, DType::Q8_0, seed).gguf.sources().to_vec()
}

fn tiny(activations: Activations, seed: u64) -> Model {
    load(sources(seed), activations)
}

fn load(sources: Vec<Rc<dyn ByteSource>>, activations: Activations) -> Model {
    let (backend, activations, threads) = (BackendChoice::Cpu, Some(activations), Some(1));
    let options = LoadOptions { backend, activations, threads, ..Default::default() };
    block_on(Model::load(sources, &options, &mut |_, _| {})).unwrap()
}

fn tiny_rwkv7(activations: Activations) -> Model {
    let ranks = Ranks { decay: 5, iclr: 7, value_residual: 3, gate: 9 };
    let sizes = Rwkv7 { d_model: 32, head_size: 16, d_ffn: 24, ranks, n_layers: 2, eps: 1e-5 };
    let network = Rc::new(sizes).network(VOCAB as usize, false);
    let bytes = Synthetic { seed: 5, ..Synthetic::new(&network, |_| DType::F32) }.to_bytes();
    load(vec![Rc::new(MemorySource::new("rwkv7", bytes))], activations)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % limit as u64) as usize
    }

    fn tokens(&mut self, least: usize, most: usize) -> Vec<u32> {
        (0..least + self.below(most - least + 1)).map(|_| self.below(VOCAB as usize) as u32).collect()
    }

    fn sampling(&mut self) -> GenerateOptions {
        let temperature = [0.0, 0.8][self.below(2)];
        let repetition_penalty = [1.0, 1.3][self.below(2)];
        let seed = self.below(1000) as u64;
        let sampler = SamplerOptions { temperature, repetition_penalty, seed: Some(seed), ..Default::default() };
        GenerateOptions { sampler, ignore_eos: true, max_tokens: 1 + self.below(6), ..Default::default() }
    }
}

fn run(model: &mut Model, tokens: &[u32], options: GenerateOptions) -> Run {
    run_until(model, &Prompt::Tokens(tokens.to_vec()), options, usize::MAX)
}

/// What a model that keeps nothing writes.
fn plain(model: &mut Model, tokens: &[u32], options: GenerateOptions) -> Vec<u32> {
    run(model, tokens, GenerateOptions { reuse: false, ..options }).ids
}

/// By value, or through a file.
fn carried(snapshot: &Snapshot, random: &mut Random) -> Snapshot {
    match random.below(2) {
        0 => snapshot.clone(),
        _ => Snapshot::from_bytes(&snapshot.to_bytes(Numbers::F32).unwrap()).unwrap(),
    }
}

/// Some states before the first token, that no text led to.
fn tuned(model: &mut Model, random: &mut Random) -> Vec<Snapshot> {
    let mut some = || {
        block_on(model.logits(&random.tokens(5, 9))).unwrap();
        let read = block_on(model.save_state()).unwrap();
        let state = State { position: 0, ..(*read.state).clone() };
        Snapshot { beginning: BeginningHash::of(&state), state: Rc::new(state), tokens: [].into(), ..read }
    };
    vec![some(), some()]
}

/// Takes the replay to where the model began, and the model where the numbers of that made room for others.
fn follow(model: &mut Model, replay: &mut Model, tuned: &[Snapshot]) {
    let beginning = model.beginning();
    if !block_on(model.begin_from(beginning)).unwrap() {
        let known = tuned.iter().find(|tuned| tuned.beginning == beginning).unwrap();
        let state = block_on(model.save_state()).unwrap();
        model.add_checkpoint(known).unwrap();
        assert!(block_on(model.begin_from(beginning)).unwrap());
        assert_eq!(block_on(model.save_state()).unwrap(), state);
    }
    assert!(block_on(replay.begin_from(beginning)).unwrap());
}

/// One random sequence of steps on `model`; everything that it gives is what `replay` gives from the same beginning, bit for bit.
fn disturb(model: &mut Model, replay: &mut Model, tuned: &[Snapshot], random: &mut Random) {
    let mut kept: Vec<Snapshot> = Vec::new();
    block_on(model.logits(&random.tokens(1, 40))).unwrap();
    for _ in 0..5 {
        match random.below(if tuned.is_empty() { 5 } else { 7 }) {
            5 => {
                block_on(model.restore_state(&tuned[random.below(tuned.len())])).unwrap();
                follow(model, replay, tuned);
                let tokens = random.tokens(1, 9);
                let logits = block_on(model.continue_logits(&tokens)).unwrap();
                assert_eq!(logits, block_on(replay.logits(&tokens)).unwrap());
            }
            6 => {
                block_on(model.begin_from(None)).unwrap();
                follow(model, replay, tuned);
                block_on(model.continue_logits(&random.tokens(1, 9))).unwrap();
            }
            0 => {
                let before = block_on(model.save_state()).unwrap();
                let more = random.tokens(1, 5);
                let logits = block_on(model.continue_logits(&more)).unwrap();
                let all = [&before.tokens, more.as_slice()].concat();
                assert_eq!(logits, block_on(replay.logits(&all)).unwrap());
            }
            1 => kept.push(block_on(model.save_state()).unwrap()),
            2 if !kept.is_empty() => {
                let snapshot = carried(&kept[random.below(kept.len())], random);
                block_on(model.restore_state(&snapshot)).unwrap();
                let again = block_on(model.save_state()).unwrap();
                assert_eq!(again, snapshot);
                follow(model, replay, tuned);
            }
            3 => {
                // A fork: two ways on from one state, the second after the first has gone on.
                let fork = block_on(model.save_state()).unwrap();
                let options = random.sampling();
                for _ in 0..2 {
                    block_on(model.restore_state(&fork.clone())).unwrap();
                    let prompt = [&fork.tokens, random.tokens(1, 4).as_slice()].concat();
                    assert_eq!(run(model, &prompt, options.clone()).ids, plain(replay, &prompt, options.clone()));
                }
            }
            _ => {
                // A completion that is interrupted, saved, disturbed and restored continues as if uninterrupted.
                let prompt = random.tokens(1, 40);
                let options = random.sampling();
                let whole = plain(replay, &prompt, options.clone());
                let some = 1 + random.below(whole.len());
                let first = run_until(model, &Prompt::Tokens(prompt), options.clone(), some).ids;
                let saved = block_on(model.save_state()).unwrap();
                run(model, &random.tokens(1, 9), random.sampling());
                block_on(model.restore_state(&carried(&saved, random))).unwrap();
                let rest = whole.len() - some;
                // The saved sampler decides, not this one.
                let resumed =
                    GenerateOptions { resume: true, max_tokens: rest, ignore_eos: true, ..Default::default() };
                let second = run_until(model, &Prompt::Tokens(vec![]), resumed, usize::MAX).ids;
                assert_eq!([first, second].concat(), whole);
            }
        }
    }
}

/// Both kinds of activations, 5,000 sequences each.
#[test]
fn ten_thousand_random_sequences_are_those_of_a_plain_replay() {
    for activations in [Activations::F32, Activations::Q8] {
        let (mut model, mut replay) = (tiny(activations, 1), tiny(activations, 1));
        disturb_often(&mut model, &mut replay, &[]);
    }
}

/// RWKV-7, whose states may also begin from tuned ones.
#[test]
fn ten_thousand_random_sequences_of_rwkv7_are_those_of_a_plain_replay() {
    for activations in [Activations::F32, Activations::Q8] {
        let (mut model, mut replay) = (tiny_rwkv7(activations), tiny_rwkv7(activations));
        let tuned = tuned(&mut replay, &mut Random(3));
        tuned.iter().for_each(|tuned| replay.add_checkpoint(tuned).unwrap());
        disturb_often(&mut model, &mut replay, &tuned);
    }
}

/// 5,000 sequences.
fn disturb_often(model: &mut Model, replay: &mut Model, tuned: &[Snapshot]) {
    let mut random = Random(7);
    // Room for a few states: checkpoints come and go.
    let room = model.info().state_bytes * 6;
    model.checkpoints().set_budget(room);
    for _ in 0..5000 {
        disturb(model, replay, tuned, &mut random);
        assert!(model.checkpoints().bytes() <= room);
    }
}

fn greedy(max_tokens: usize) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 0.0, ..Default::default() };
    GenerateOptions { sampler, max_tokens, ignore_eos: true, ..Default::default() }
}

#[test]
fn a_conversation_reads_only_what_is_new_and_an_edit_only_what_it_changes() {
    let (mut model, mut replay) = (tiny(Activations::Q8, 2), tiny(Activations::Q8, 2));
    let mut random = Random(3);
    let mut history = random.tokens(30, 30);
    let mut turns = Vec::new();
    for _ in 0..20 {
        let question = random.tokens(9, 9);
        turns.push(history.len());
        history.extend(&question);
        let answer = run(&mut model, &history, greedy(7));
        assert_eq!(answer.ids, plain(&mut replay, &history, greedy(7)));
        // The last token of the previous completion was given out and not read; the first turn has all to read.
        let new = if turns.len() == 1 { history.len() } else { question.len() + 1 };
        assert_eq!((answer.prompt, answer.prefilled), (history.len(), new));
        history.extend(&answer.ids);
    }
    // The same prompt again is one token.
    for (turn, &at) in turns.iter().enumerate() {
        let prompt = &history[..at + 9];
        assert_eq!(run(&mut model, prompt, greedy(3)).prefilled, 1, "turn {turn}");
    }
    // An edit of turn k reads its own tokens, and the last token of the completion before it.
    for (turn, &at) in turns.iter().enumerate().skip(1) {
        let edited = [&history[..at], &random.tokens(5, 5)].concat();
        let answer = run(&mut model, &edited, greedy(4));
        assert_eq!(answer.ids, plain(&mut replay, &edited, greedy(4)));
        assert_eq!(answer.prefilled, 5 + 1, "turn {turn}");
    }
}

#[test]
fn a_document_goes_on_from_the_last_checkpoint_of_its_reading() {
    let (mut model, mut again) = (tiny(Activations::Q8, 4), tiny(Activations::Q8, 4));
    let document = Random(5).tokens(1000, 1000);
    model.checkpoints().set_interval(100);
    let mut generation = Generation::new(&model, &Prompt::Tokens(document.clone()), greedy(9)).unwrap();
    let mut done = 0;
    let mut kept = None;
    while done < 700 {
        let Some(Event::Prefill { done: now, .. }) = block_on(generation.next(&mut model)).unwrap() else { panic!() };
        done = now;
        // What a page writes to its disk.
        for info in model.checkpoints().take_new() {
            assert_eq!(info.kind, CheckpointKind::Prefill);
            assert_eq!(model.checkpoints().list().len(), 1, "one of a document is enough");
            kept = model.checkpoints().get(info.id).map(|snapshot| snapshot.to_bytes(Numbers::F32).unwrap());
        }
    }
    // The process is gone; only the file is left.
    again.add_checkpoint(&Snapshot::from_bytes(&kept.unwrap()).unwrap()).unwrap();
    let answer = run(&mut again, &document, greedy(9));
    assert!(answer.prefilled <= 1000 - (700 - 100 - 32), "{} tokens were read again", answer.prefilled);
    assert_eq!(answer.ids, plain(&mut tiny(Activations::Q8, 4), &document, greedy(9)));
}

#[test]
fn several_completions_of_one_prompt_read_it_once() {
    let mut model = tiny(Activations::Q8, 6);
    let prompt = Random(8).tokens(90, 90);
    let options = GenerateOptions {
        sampler: SamplerOptions { temperature: 1.0, seed: Some(0), ..Default::default() },
        max_tokens: 8,
        ignore_eos: true,
        ..Default::default()
    };
    let answers = |model: &mut Model, options: &GenerateOptions| {
        let prompts = vec![Prompt::Tokens(prompt.clone()); 5];
        let mut many = Generation::batch(model, &prompts, options, 3).unwrap();
        let (mut ids, mut prefilled) = (vec![Vec::new(); 5], 0);
        while let Some(event) = block_on(many.next_indexed(model)).unwrap() {
            match event.event {
                Event::Token { id, .. } => ids[event.index].push(id),
                Event::End { prefilled_tokens, .. } => prefilled += prefilled_tokens,
                Event::Prefill { .. } => {}
            }
        }
        (ids, prefilled)
    };
    let (expected, read) = answers(&mut model, &GenerateOptions { reuse: false, ..options.clone() });
    assert_eq!(read, 5 * 90);
    let (forked, read) = answers(&mut model, &options);
    assert_eq!(forked, expected);
    assert_eq!(read, 90 + 4);
    assert!(expected.iter().any(|ids| *ids != expected[0]), "each has a seed of its own");
    // Whichever of them is gone on from: its last token was written and not read.
    for ids in &forked {
        let next = [prompt.as_slice(), ids, &[1]].concat();
        let on = run(&mut model, &next, options.clone());
        assert_eq!(on.prefilled, 2);
        assert_eq!(on.ids, plain(&mut model, &next, options.clone()));
    }
    // From a restored state, without its text.
    let state = {
        block_on(model.logits(&prompt[..80])).unwrap();
        block_on(model.save_state()).unwrap()
    };
    model.checkpoints().clear();
    block_on(model.restore_state(&state)).unwrap();
    let rest = vec![Prompt::Tokens(prompt[80..].to_vec()); 2];
    let resume = GenerateOptions { resume: true, ..options };
    let mut many = Generation::batch(&model, &rest, &resume, 2).unwrap();
    let mut ids = vec![Vec::new(); 2];
    while let Some(event) = block_on(many.next_indexed(&mut model)).unwrap() {
        if let Event::Token { id, .. } = event.event {
            ids[event.index].push(id);
        }
    }
    assert_eq!(ids, expected[..2]);
}

#[test]
fn a_state_of_another_model_changes_nothing() {
    let (mut model, mut other) = (tiny(Activations::Q8, 9), tiny(Activations::Q8, 10));
    assert_ne!(model.hash(), other.hash());
    assert_eq!(model.hash(), tiny(Activations::F32, 9).hash(), "how it runs does not make another model");
    block_on(other.logits(&[1, 2, 3])).unwrap();
    let foreign = block_on(other.save_state()).unwrap();
    block_on(model.logits(&[4, 5])).unwrap();
    let before = block_on(model.save_state()).unwrap();
    let refusal = block_on(model.restore_state(&foreign)).unwrap_err();
    assert!(matches!(refusal, Error::StateModel { .. }), "{refusal}");
    assert!(refusal.to_string().contains(&other.hash().to_string()));
    assert_eq!(block_on(model.save_state()).unwrap(), before);
    assert!(model.checkpoints().list().is_empty());
}

#[test]
fn a_state_that_was_moved_from_outside_is_not_saved() {
    let mut model = tiny(Activations::Q8, 11);
    block_on(model.logits(&[1, 2])).unwrap();
    model.executor().reset(0).unwrap();
    assert!(matches!(block_on(model.save_state()), Err(Error::StateUnknown { .. })));
    let resume = GenerateOptions { resume: true, ..greedy(1) };
    assert!(Generation::new(&model, &Prompt::Tokens(vec![1]), resume).is_err());
    block_on(model.logits(&[1, 2])).unwrap();
    assert_eq!(block_on(model.save_state()).unwrap().position(), 2);
}

#[test]
fn a_loaded_again_model_goes_on_with_its_answer() {
    let mut model = tiny(Activations::Q8, 12);
    let prompt = Random(13).tokens(50, 50);
    let expected = plain(&mut model, &prompt, greedy(12));
    run_until(&mut model, &Prompt::Tokens(prompt.clone()), greedy(12), 5);
    let kept = model.checkpoints().list();
    assert!(!kept.is_empty());
    let options = LoadOptions { backend: BackendChoice::Cpu, ..Default::default() };
    let refusal = block_on(model.reload(sources(99), &options, &mut |_, _| {})).unwrap_err();
    assert!(matches!(refusal, Error::StateModel { .. }));
    block_on(model.reload(sources(12), &options, &mut |_, _| {})).unwrap();
    assert_eq!(model.checkpoints().list(), kept);
    let answer = run(&mut model, &prompt, greedy(12));
    assert_eq!((answer.ids, answer.prefilled), (expected, 1));
}

/// In the middle of a completion too: after any event it continues as if uninterrupted.
#[test]
fn an_answer_goes_on_when_its_model_is_loaded_again() {
    let mut model = tiny(Activations::Q8, 12);
    let prompt = Random(13).tokens(700, 700);
    for reuse in [false, true] {
        let sampler = SamplerOptions { temperature: 1.2, seed: Some(3), ..Default::default() };
        let options = GenerateOptions { sampler, max_tokens: 9, ignore_eos: true, reuse, ..Default::default() };
        let alone = plain(&mut tiny(Activations::Q8, 12), &prompt, options.clone());
        for step in 0..12 {
            let cpu = LoadOptions { backend: BackendChoice::Cpu, ..Default::default() };
            let mut one = Generation::new(&model, &Prompt::Tokens(prompt.clone()), options.clone()).unwrap();
            let (mut ids, mut taken) = (Vec::new(), 0);
            while let Some(event) = block_on(one.next(&mut model)).unwrap() {
                ids.extend(if let Event::Token { id, .. } = event { Some(id) } else { None });
                if taken == step {
                    block_on(model.reload(sources(12), &cpu, &mut |_, _| {})).unwrap();
                    // The model's state and its history agree.
                    assert_eq!(block_on(model.save_state()).unwrap().position(), 0);
                }
                taken += 1;
            }
            assert_eq!(ids, alone, "loaded again after event {step}");
            let mut many = Generation::batch(&model, &[Prompt::Tokens(prompt.clone())], &options, 1).unwrap();
            let (mut ids, mut taken) = (Vec::new(), 0);
            while let Some(event) = block_on(many.next_indexed(&mut model)).unwrap() {
                ids.extend(if let Event::Token { id, .. } = event.event { Some(id) } else { None });
                if taken == step {
                    block_on(model.reload(sources(12), &cpu, &mut |_, _| {})).unwrap();
                }
                taken += 1;
            }
            assert_eq!(ids, alone, "of many, loaded again after event {step}");
        }
    }
    // Where something else was read since, the generation is over.
    let mut one = Generation::new(&model, &Prompt::Tokens(prompt), greedy(5)).unwrap();
    block_on(one.next(&mut model)).unwrap();
    let cpu = LoadOptions { backend: BackendChoice::Cpu, ..Default::default() };
    block_on(model.reload(sources(12), &cpu, &mut |_, _| {})).unwrap();
    block_on(model.logits(&[1])).unwrap();
    assert_eq!(block_on(one.next(&mut model)).unwrap_err(), Error::Busy);
}

/// The answer comes back as text and is tokenised anew: it has to be the ids that were written, or it is read again.
#[test]
fn the_next_turn_of_a_chat_reads_only_its_question() {
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(std::path::Path::new(DEMO)).unwrap());
    let options = LoadOptions { backend: BackendChoice::Cpu, ..Default::default() };
    let mut model = block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap();
    let mut messages = Vec::new();
    let questions =
        ["How do I make a cup of tea?", "Tell me a story about a mouse.", "Why is the sky blue?", "Thank you!"];
    for (turn, question) in questions.into_iter().enumerate() {
        messages.push(ChatMessage::new("user", question));
        let mut generation = Generation::new(&model, &Prompt::Chat(messages.clone()), greedy_to_the_end()).unwrap();
        let (mut answer, mut read) = (String::new(), 0);
        while let Some(event) = block_on(generation.next(&mut model)).unwrap() {
            match event {
                Event::Token { text, .. } => answer += &text,
                Event::End { text, prefilled_tokens, .. } => (answer, read) = (answer + &text, prefilled_tokens),
                Event::Prefill { .. } => {}
            }
        }
        let new = model.tokenizer().unwrap().encode(question, Special::Plain).unwrap().len();
        // The end of the answer before and the question's beginning are 6 tokens in this vocabulary, its end and the answer's
        // beginning 7; the first question follows BOS alone.
        let markers = if turn == 0 { 1 + 4 + 7 } else { 6 + 7 };
        assert_eq!(read, new + markers, "turn {turn}");
        messages.push(ChatMessage::new("assistant", answer));
    }
}

fn greedy_to_the_end() -> GenerateOptions {
    GenerateOptions { ignore_eos: false, ..greedy(200) }
}
