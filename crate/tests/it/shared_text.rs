//! A text that many prompts begin with is read once: `GenerateOptions::keep_after`.

use std::path::Path;
use std::rc::Rc;

use crate::support::runs::{Run, run_until};
use pollster::block_on;
use web_mamba::checkpoints::CheckpointKind;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt, SequenceEvent};
use web_mamba::sampler::SamplerOptions;
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::tokenizer::{ChatMessage, Special};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/public/models/web-mamba-demo-31m-v2-q4_k_m.gguf");

fn demo() -> Model {
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(Path::new(DEMO)).unwrap());
    let options = LoadOptions { backend: BackendChoice::Cpu, ..Default::default() };
    block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}

fn greedy(max_tokens: usize) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 0.0, ..Default::default() };
    GenerateOptions { sampler, max_tokens, ignore_eos: true, ..Default::default() }
}

fn run(model: &mut Model, prompt: &Prompt, options: GenerateOptions) -> Run {
    run_until(model, prompt, options, usize::MAX)
}

fn shared(model: &mut Model) -> usize {
    model.checkpoints().list().iter().filter(|info| info.kind == CheckpointKind::Shared).count()
}

/// Whatever the text ends with, and however prompts go on from there: letters, digits and spaces join their neighbours in tokens.
#[test]
fn a_document_is_read_once_for_every_question() {
    let (mut model, mut replay) = (demo(), demo());
    let lines = (0..40).map(|line| format!("Keeper {line} wrote {} letters to the harbour.", 7 * line));
    let document = lines.collect::<Vec<_>>().join(" ");
    for ending in ["", " The en", "\n\"\"\"", " In 18", " \n", " (<|im"] {
        let text = format!("{document}{ending}");
        let length = model.tokenizer().unwrap().encode(&text, Special::Plain).unwrap().len();
        for (number, question) in ["\n\nWho wrote 14 letters?", "81 was it?", "d. Summarise!"].into_iter().enumerate() {
            let prompt = Prompt::Chat(vec![ChatMessage::new("user", format!("{text}{question}"))]);
            let answer = run(&mut model, &prompt, GenerateOptions { keep_after: Some(text.clone()), ..greedy(6) });
            let plain = run(&mut replay, &prompt, GenerateOptions { reuse: false, ..greedy(6) });
            assert_eq!(answer.ids, plain.ids);
            assert!(answer.prompt > length);
            match number {
                0 => assert_eq!((answer.prefilled, shared(&mut model)), (answer.prompt, 1)),
                _ => assert!(answer.prefilled < 40, "{ending:?}: {} of {} read", answer.prefilled, answer.prompt),
            }
        }
        model.checkpoints().clear();
        model.begin().unwrap();
    }
}

/// Side by side too: the second of the questions finds what the first has read.
#[test]
fn a_batch_reads_what_its_prompts_share_once() {
    let (mut model, mut replay) = (demo(), demo());
    let text = "The lamp was lit at dusk, and put out at dawn. ".repeat(20);
    let questions = ["Who lit it?", "When was it lit?", "And at dawn?"];
    let prompts = questions.map(|question| Prompt::Text(format!("{text}{question}")));
    let options = GenerateOptions { keep_after: Some(text), ..greedy(6) };
    let mut batch = Generation::batch(&model, &prompts, &options, 2).unwrap();
    let (mut ids, mut read) = (vec![Vec::new(); 3], [0; 3]);
    while let Some(SequenceEvent { index, event }) = block_on(batch.next_indexed(&mut model)).unwrap() {
        match event {
            Event::Token { id, .. } => ids[index].push(id),
            Event::End { prefilled_tokens, .. } => read[index] = prefilled_tokens,
            Event::Prefill { .. } => {}
        }
    }
    assert_eq!(shared(&mut model), 1);
    assert!(read[0] > 200 && read[1] < 12 && read[2] < 12, "{read:?}");
    for (prompt, ids) in prompts.iter().zip(&ids) {
        assert_eq!(*ids, run(&mut replay, prompt, GenerateOptions { reuse: false, ..greedy(6) }).ids);
    }
}

/// A base model continues a text, without a template around it. What is read on beyond the text takes no place of it.
#[test]
fn what_prompts_share_outlives_the_checkpoints_of_reading_on() {
    let mut model = demo();
    model.checkpoints().set_interval(32);
    let text = "The lamp was lit at dusk, and put out at dawn. ".repeat(20);
    let options = GenerateOptions { keep_after: Some(text.clone()), ..greedy(3) };
    let read =
        |model: &mut Model, more: &str| run(model, &Prompt::Text(text.clone() + more), options.clone()).prefilled;
    assert!(read(&mut model, &"And then? ".repeat(60)) > 300);
    assert_eq!(shared(&mut model), 1);
    assert!(read(&mut model, "Who lit it?") < 12);
}

#[test]
fn nothing_is_kept_for_a_text_that_the_prompt_does_not_hold() {
    let mut model = demo();
    let prompt = Prompt::Chat(vec![ChatMessage::new("user", "The lamp was lit at dusk.")]);
    let elsewhere = GenerateOptions { keep_after: Some("nowhere".into()), ..greedy(2) };
    assert_eq!(run(&mut model, &prompt, elsewhere).ids.len(), 2);
    assert_eq!(shared(&mut model), 0);
}
