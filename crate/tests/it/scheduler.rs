//! The scheduler over several sequences: checkpoints on the way, stops between events, and what they leave.

use std::rc::Rc;

use crate::support::random_model::{RandomModel, Shape};
use crate::support::runs::{IDS, run_until};
use pollster::block_on;
use web_mamba::checkpoints::CheckpointKind;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt, SequenceEvent, StopReason};
use web_mamba::quant::DType;
use web_mamba::sampler::SamplerOptions;
use web_mamba::source::ByteSource;

fn model() -> Model {
    let sources: Vec<Rc<dyn ByteSource>> =
        RandomModel::new(&Shape::odd(DType::F32), DType::F32, 21).gguf.sources().to_vec();
    let options = LoadOptions { backend: BackendChoice::Cpu, threads: Some(1), ..Default::default() };
    block_on(Model::load(sources, &options, &mut |_, _| {})).unwrap()
}

fn sampled(max_tokens: usize) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 1.0, seed: Some(5), ..Default::default() };
    GenerateOptions { sampler, max_tokens, ignore_eos: true, ..Default::default() }
}

/// Prompts of 200 tokens each that differ from the first token on.
fn sections(count: u32) -> Vec<Prompt> {
    let tokens = |section| (0..200).map(|at| (IDS[at as usize % 40] + 7 * at + 311 * section) % 2051).collect();
    (0..count).map(|section| Prompt::Tokens(tokens(section))).collect()
}

/// What each prompt's completion was: its tokens, why it ended, and how many tokens were read for it.
fn follow(model: &mut Model, generation: &mut Generation, count: usize) -> Vec<(Vec<u32>, Option<StopReason>, usize)> {
    let mut all = vec![(Vec::new(), None, 0); count];
    while let Some(SequenceEvent { index, event }) = block_on(generation.next_indexed(model)).unwrap() {
        assert!(all[index].1.is_none(), "an event after the end of prompt {index}");
        match event {
            Event::Token { id, .. } => all[index].0.push(id),
            Event::End { stop, prefilled_tokens, .. } => (all[index].1, all[index].2) = (Some(stop), prefilled_tokens),
            Event::Prefill { .. } => {}
        }
    }
    assert!(generation.is_over());
    all
}

#[test]
fn a_batch_that_is_dropped_while_it_reads_goes_on_from_its_checkpoints() {
    let mut model = model();
    model.checkpoints().set_interval(64);
    let prompts = sections(2);
    let expected = {
        let mut plain =
            Generation::batch(&model, &prompts, &GenerateOptions { reuse: false, ..sampled(5) }, 2).unwrap();
        follow(&mut model, &mut plain, 2)
    };
    let mut dropped = Generation::batch(&model, &prompts, &sampled(5), 2).unwrap();
    loop {
        let event = block_on(dropped.next_indexed(&mut model)).unwrap().unwrap();
        // The second prompt is under way.
        if matches!(event, SequenceEvent { index: 1, event: Event::Prefill { done, .. } } if done >= 128) {
            break;
        }
    }
    drop(dropped);
    let kinds: Vec<_> = model.checkpoints().list().iter().map(|info| info.kind).collect();
    assert!(kinds.contains(&CheckpointKind::Prompt) && kinds.contains(&CheckpointKind::Prefill), "{kinds:?}");
    let mut again = Generation::batch(&model, &prompts, &sampled(5), 2).unwrap();
    let completions = follow(&mut model, &mut again, 2);
    for ((ids, stop, prefilled), (right, ..)) in completions.iter().zip(&expected) {
        assert_eq!((ids, *stop), (right, Some(StopReason::Length)));
        assert!(*prefilled < 100, "{prefilled} of 200 tokens were read again");
    }
}

/// What was sampled and not given out is in no state: as if it had never been.
#[test]
fn a_stop_between_any_two_events_leaves_what_was_given_out() {
    let mut model = model();
    let prompt = Prompt::Tokens(IDS[..30].to_vec());
    let whole = run_until(&mut model, &prompt, sampled(6), usize::MAX).ids;
    for stopped in 1..8 {
        model.checkpoints().clear();
        model.begin().unwrap();
        let mut generation = Generation::new(&model, &prompt, sampled(6)).unwrap();
        let mut ids = Vec::new();
        for _ in 0..stopped {
            if let Some(Event::Token { id, .. }) = block_on(generation.next(&mut model)).unwrap() {
                ids.push(id);
            }
        }
        let state = block_on(model.save_state()).unwrap();
        assert_eq!(state.pending, ids.last().copied(), "after {stopped} events");
        assert_eq!(state.tokens.len(), 30 + ids.len().saturating_sub(1));
        if !ids.is_empty() {
            let rest = Prompt::Text(String::new());
            let resume = GenerateOptions { resume: true, ..sampled(6 - ids.len()) };
            ids.extend(run_until(&mut model, &rest, resume, usize::MAX).ids);
            assert_eq!(ids, whole, "stopped after {stopped} events");
        }
    }
}

#[test]
fn a_stopped_batch_ends_every_completion_once_and_gives_the_room_back() {
    let mut model = model();
    let prompts = sections(5);
    for stopped in [0, 1, 9, 21, 30] {
        let mut generation = Generation::batch(&model, &prompts, &sampled(8), 2).unwrap();
        let switch = generation.cancelled();
        for _ in 0..stopped {
            block_on(generation.next_indexed(&mut model)).unwrap();
        }
        switch.set(true);
        let ends = follow(&mut model, &mut generation, 5);
        let cancelled = ends.iter().filter(|(_, stop, _)| *stop == Some(StopReason::Cancelled)).count();
        assert!(cancelled >= 3, "after {stopped} events");
        assert!(ends.iter().filter(|(_, stop, _)| stop.is_some()).count() >= cancelled);
        assert!(matches!(block_on(generation.next_indexed(&mut model)), Ok(None)));
        assert_eq!(model.executor().sequences(), 1);
    }
}

#[test]
fn a_batch_whose_model_reads_something_else_is_busy_once_and_then_over() {
    let mut model = model();
    let mut generation = Generation::batch(&model, &sections(3), &sampled(4), 2).unwrap();
    block_on(generation.next_indexed(&mut model)).unwrap();
    block_on(model.logits(&IDS[..4])).unwrap();
    assert_eq!(block_on(generation.next_indexed(&mut model)).unwrap_err(), Error::Busy);
    assert!(generation.is_over());
    assert!(matches!(block_on(generation.next_indexed(&mut model)), Ok(None)));
    // What was read meanwhile is known, though the batch has left its room.
    assert_eq!(block_on(model.save_state()).unwrap().position(), 4);
    assert!(matches!(
        block_on(Generation::batch(&model, &[], &sampled(4), 2).unwrap().next_indexed(&mut model)),
        Ok(None)
    ));
    assert_eq!(block_on(model.save_state()).unwrap().position(), 4, "no prompts move no state");
}
