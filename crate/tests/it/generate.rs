//! Generation on the CPU: events, stops, cancelling, seeds, and two generations on one model.

use crate::support::golden;
use std::rc::Rc;

use pollster::block_on;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt, StopReason};
use web_mamba::sampler::SamplerOptions;
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::tokenizer::ChatMessage;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf");

fn load(path: impl AsRef<std::path::Path>) -> Model {
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(path.as_ref()).unwrap());
    let activations = Some(Activations::F32);
    let options = LoadOptions { backend: BackendChoice::Cpu, activations, ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

fn tiny() -> Model {
    load(golden::folder().join("models/falcon-tiny-Q4_K_M.gguf"))
}

fn greedy() -> GenerateOptions {
    GenerateOptions { sampler: SamplerOptions { temperature: 0.0, ..Default::default() }, ..Default::default() }
}

fn chat(text: &str) -> Prompt {
    Prompt::Chat(vec![ChatMessage::new("user", text)])
}

struct Answer {
    ids: Vec<u32>,
    text: String,
    stop: StopReason,
    prefill: Vec<(usize, usize)>,
}

fn run(model: &mut Model, prompt: &Prompt, options: GenerateOptions) -> Answer {
    let mut generation = Generation::new(model, prompt, options).unwrap();
    let mut answer = Answer { ids: vec![], text: String::new(), stop: StopReason::Cancelled, prefill: vec![] };
    let mut ended = false;
    while let Some(event) = block_on(generation.next(model)).unwrap() {
        assert!(!ended, "an event after the end");
        match event {
            Event::Prefill { done, total } => answer.prefill.push((done, total)),
            Event::Token { id, text, milliseconds, .. } => {
                assert!(milliseconds >= 0.0);
                answer.ids.push(id);
                answer.text += &text;
            }
            Event::End { text, stop, tokens, .. } => {
                assert_eq!(tokens, answer.ids.len() + usize::from(stop == StopReason::StopString));
                answer.text += &text;
                answer.stop = stop;
                ended = true;
            }
        }
    }
    assert!(ended);
    answer
}

#[test]
fn the_demo_model_answers_and_stops_by_itself() {
    let mut model = load(DEMO);
    let answer = run(&mut model, &chat("How do I make a cup of tea?"), greedy());
    assert_eq!(answer.stop, StopReason::Eos);
    assert!(answer.text.contains("tea") && answer.text.contains("water"), "{}", answer.text);
    assert!(!answer.text.contains("<|"), "{}", answer.text);
    assert_eq!(model.tokenizer().unwrap().decode(&answer.ids, true), answer.text);
    // The same question again is read from a fresh state.
    assert_eq!(run(&mut model, &chat("How do I make a cup of tea?"), greedy()).text, answer.text);
}

/// What the page suggests to ask it, and words that an answer on topic has, as alternatives.
#[test]
fn every_suggestion_of_the_page_is_answered_on_topic() {
    let models = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/models.json")).unwrap();
    let models: serde_json::Value = serde_json::from_str(&models).unwrap();
    let topics: [(&str, &[&str]); 4] = [
        ("What is a state-space model?", &["state", "token|word", "fixed size", "predict"]),
        (
            "Explain in a few sentences how a rainbow forms.",
            &["rainbow|bow", "light", "drop", "colour", "bend|split|spread"],
        ),
        ("Write a short, friendly note that thanks a neighbour.", &["neighbour,\n", "Thank you|thank you|thanks"]),
        (
            "Give me three ideas for a rainy afternoon.",
            &["1.|-", "\n2.|\n-", "\n3.|\n-", "book|puzzle|film|cake|paint|game|fort"],
        ),
    ];
    let prompts: Vec<&str> = models[0]["prompts"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert_eq!(prompts, topics.map(|(prompt, _)| prompt), "each suggestion has its words here");
    let mut model = load(DEMO);
    for (prompt, words) in topics {
        let answer = run(&mut model, &chat(prompt), greedy());
        assert_eq!(answer.stop, StopReason::Eos, "{prompt}");
        for alternatives in words {
            assert!(
                alternatives.split('|').any(|word| answer.text.contains(word)),
                "{prompt} {alternatives}: {}",
                answer.text
            );
        }
    }
}

#[test]
fn greedy_tokens_are_those_of_the_golden_file() {
    let golden = golden::all().into_iter().find(|g| g.file == "falcon-tiny-Q4_K_M.gguf").unwrap();
    let mut model = tiny();
    for case in &golden.cases {
        let options = GenerateOptions { max_tokens: 64, ignore_eos: true, ..greedy() };
        let by_ids = run(&mut model, &Prompt::Tokens(case.ids.clone()), options.clone());
        assert_eq!(by_ids.ids, case.hf.greedy64);
        assert_eq!(by_ids.stop, StopReason::Length);
        let by_text = run(&mut model, &Prompt::Text(case.prompt.clone()), options);
        assert_eq!(by_text.ids, by_ids.ids);
        assert_eq!(by_text.prefill.last(), Some(&(case.ids.len(), case.ids.len())));
    }
}

#[test]
fn a_long_prompt_is_read_in_chunks_with_progress() {
    let tokens: Vec<u32> = (0..100).collect();
    let answer = run(&mut tiny(), &Prompt::Tokens(tokens), GenerateOptions { max_tokens: 1, ..greedy() });
    assert_eq!(answer.prefill, [(32, 100), (64, 100), (96, 100), (100, 100)]);
}

#[test]
fn a_stop_text_ends_the_answer_before_itself() {
    let mut model = load(DEMO);
    let whole = run(&mut model, &chat("How do I make a cup of tea?"), greedy()).text;
    for stop in ["water", "tea bag", "2.", "\n"] {
        let options = GenerateOptions { stop: vec!["not there".into(), stop.into()], ..greedy() };
        let answer = run(&mut model, &chat("How do I make a cup of tea?"), options);
        assert_eq!(answer.stop, StopReason::StopString);
        assert_eq!(answer.text, whole[..whole.find(stop).unwrap()]);
    }
    // A stop text that begins but never comes is given out at the end.
    let last: String = whole.chars().skip(whole.chars().count() - 3).collect();
    let options = GenerateOptions { stop: vec![last + " and more"], ..greedy() };
    assert_eq!(run(&mut model, &chat("How do I make a cup of tea?"), options).text, whole);
}

#[test]
fn a_stop_token_ends_the_answer_before_itself() {
    let mut model = tiny();
    let prompt = Prompt::Tokens(vec![5, 6]);
    let whole = run(&mut model, &prompt, GenerateOptions { max_tokens: 20, ignore_eos: true, ..greedy() }).ids;
    let stop = whole[7];
    let first = whole.iter().position(|&id| id == stop).unwrap();
    let options = GenerateOptions { max_tokens: 20, ignore_eos: true, stop_tokens: vec![stop], ..greedy() };
    let answer = run(&mut model, &prompt, options);
    assert_eq!((answer.ids.as_slice(), answer.stop), (&whole[..first], StopReason::StopToken));
}

#[test]
fn a_seed_decides_the_answer() {
    let mut model = load(DEMO);
    let mut sample = |seed| {
        let sampler = SamplerOptions { temperature: 1.0, seed: Some(seed), ..Default::default() };
        let options = GenerateOptions { sampler, max_tokens: 40, ..Default::default() };
        run(&mut model, &chat("Tell me a story."), options).ids
    };
    let first = sample(7);
    assert_eq!(first, sample(7));
    assert!((8..12).any(|seed| sample(seed) != first));
}

#[test]
fn max_tokens_is_exact() {
    let mut model = tiny();
    for max_tokens in [0, 1, 5] {
        let options = GenerateOptions { max_tokens, ignore_eos: true, ..greedy() };
        let answer = run(&mut model, &Prompt::Tokens(vec![5, 6]), options);
        assert_eq!((answer.ids.len(), answer.stop), (max_tokens, StopReason::Length));
    }
}

#[test]
fn cancelling_ends_the_answer_at_the_next_event() {
    let mut model = tiny();
    let options = GenerateOptions { ignore_eos: true, ..greedy() };
    for events_before in [0, 1, 4] {
        let tokens = (0..100).collect();
        let mut generation = Generation::new(&model, &Prompt::Tokens(tokens), options.clone()).unwrap();
        for _ in 0..events_before {
            block_on(generation.next(&mut model)).unwrap().unwrap();
        }
        generation.cancelled().set(true);
        let end = block_on(generation.next(&mut model)).unwrap();
        assert!(matches!(end, Some(Event::End { stop: StopReason::Cancelled, .. })), "{end:?}");
        assert_eq!(block_on(generation.next(&mut model)).unwrap(), None);
    }
}

#[test]
fn a_second_answer_ends_the_first_one() {
    let mut model = tiny();
    let prompt = Prompt::Tokens(vec![5, 6]);
    let mut first = Generation::new(&model, &prompt, greedy()).unwrap();
    block_on(first.next(&mut model)).unwrap();
    let expected = run(&mut model, &prompt, GenerateOptions { max_tokens: 5, ..greedy() }).ids;
    assert_eq!(block_on(first.next(&mut model)), Err(Error::Busy));
    assert_eq!(run(&mut model, &prompt, GenerateOptions { max_tokens: 5, ..greedy() }).ids, expected);
}

#[test]
fn bad_requests_are_refused_before_anything_runs() {
    let model = tiny();
    let refuse = |prompt: Prompt, options| Generation::new(&model, &prompt, options).err().unwrap();
    assert_eq!(refuse(Prompt::Tokens(vec![]), greedy()), Error::EmptyPrompt);
    assert_eq!(refuse(Prompt::Text(String::new()), greedy()), Error::EmptyPrompt);
    assert_eq!(refuse(Prompt::Chat(vec![]), greedy()), Error::EmptyPrompt);
    let out_of_range = Error::TokenRange { token: 512, vocab_size: 512 };
    assert_eq!(refuse(Prompt::Tokens(vec![1, 512]), greedy()), out_of_range);
    let sampler = SamplerOptions { temperature: f32::NAN, ..Default::default() };
    let error = refuse(Prompt::Tokens(vec![1]), GenerateOptions { sampler, ..Default::default() });
    assert_eq!(error.code(), "invalid-option");
}

#[test]
fn options_have_the_names_that_javascript_uses() {
    let json = r#"{"maxTokens": 3, "stop": ["a"], "ignoreEos": true, "keepAfter": "b",
        "temperature": 0, "topK": 5, "topP": 0.5, "seed": 9}"#;
    let options: GenerateOptions = serde_json::from_str(json).unwrap();
    assert_eq!((options.max_tokens, options.ignore_eos, options.keep_after.as_deref()), (3, true, Some("b")));
    assert_eq!((options.sampler.temperature, options.sampler.top_k, options.sampler.seed), (0.0, 5, Some(9)));
    let event = Event::Token { id: 1, text: "x".into(), milliseconds: 2.0, logprobs: None };
    assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"type":"token","id":1,"text":"x","milliseconds":2.0}"#);
}
