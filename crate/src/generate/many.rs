//! Many answers at once: each token of all of them is one reading of the weights, which is what a decoded token costs.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use serde::Serialize;
use web_time::Instant;

use super::answer::{Answer, Taken};
use super::{Event, GenerateOptions, Prompt, StopReason};
use crate::checkpoints::CheckpointKind;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::executor::{MAX_SEQUENCES, Outputs};
use crate::sampler::{Sampler, random_seed};

/// An event of one of the answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventOf {
    /// Number of its prompt.
    pub index: usize,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The answers to many prompts in the making. As many as there are sequences are written at once; where one ends, the next
/// prompt takes its place.
pub struct BatchGeneration {
    answers: Vec<Answer>,
    /// Prompts not yet begun.
    waiting: VecDeque<usize>,
    /// What each sequence works on.
    sequences: Vec<Option<Active>>,
    events: VecDeque<EventOf>,
    /// Sequences whose answers have just ended and may be gone on from, with the number of the prompt.
    ended: Vec<(usize, usize)>,
    cancelled: Rc<Cell<bool>>,
    /// Which reading of the model's states is ours; none before the first, and after the device was lost.
    epoch: Option<u64>,
    last_token: Vec<Instant>,
    reuse: bool,
    resume: bool,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    index: usize,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Tokens of the prompt read so far.
    Prefill(usize),
    /// A token was given out and not yet read by the model.
    Feed(u32),
}

impl BatchGeneration {
    /// Prepares the answers, at most `sequences` at once (1 to [`MAX_SEQUENCES`]). The answer to prompt i draws with the seed
    /// plus i.
    ///
    /// # Errors
    /// As of [`super::Generation::new`] for any of the prompts, and [`Error::InvalidOption`] for the number of sequences.
    pub fn new(model: &Model, prompts: &[Prompt], options: &GenerateOptions, sequences: usize) -> Result<Self> {
        if !(1..=MAX_SEQUENCES).contains(&sequences) {
            let (option, expected) = ("sequences", "a number from 1 to 32");
            return Err(Error::InvalidOption { option, found: sequences.to_string(), expected });
        }
        let first = options.sampler.seed.unwrap_or_else(random_seed);
        let answer = |(index, prompt): (u64, &Prompt)| {
            let mut options = options.clone();
            options.sampler.seed = Some(first.wrapping_add(index));
            Answer::new(model, prompt, &options)
        };
        let answers = (0..).zip(prompts).map(answer).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            waiting: (0..answers.len()).collect(),
            sequences: vec![None; sequences.min(answers.len())],
            events: VecDeque::new(),
            ended: Vec::new(),
            cancelled: Rc::default(),
            epoch: None,
            last_token: vec![Instant::now(); answers.len()],
            reuse: options.reuse || options.resume,
            resume: options.resume,
            answers,
        })
    }

    /// A switch that ends all answers at the next event once it is set.
    pub fn cancelled(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.cancelled)
    }

    /// Runs the model up to the next event of any answer; `None` after the last one's end.
    ///
    /// # Errors
    /// As of [`super::Generation::next`], a lost device included, and [`Error::OutOfMemory`] where there is no room for so many states.
    pub async fn next(&mut self, model: &mut Model) -> Result<Option<EventOf>> {
        let event = self.step(model).await;
        if event.as_ref().is_err_and(Error::is_loss) {
            self.read_again();
        }
        event
    }

    /// No token is chosen by halves: everything that was given out is in the histories, which are read again.
    fn read_again(&mut self) {
        self.epoch = None;
        self.ended.clear();
        self.sequences.iter_mut().flatten().for_each(|active| active.phase = Phase::Prefill(0));
    }

    async fn step(&mut self, model: &mut Model) -> Result<Option<EventOf>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.epoch {
                None => {
                    if self.resume {
                        // What the answers go on from would be lost with the present state.
                        model.keep_checkpoint(CheckpointKind::Prompt).await?;
                    }
                    self.epoch = Some(model.begin_many(self.sequences.len().max(1)).await?);
                }
                Some(epoch) if model.has_interrupted(epoch) => {
                    self.read_again();
                    continue;
                }
                Some(epoch) if epoch != model.epoch() => return Err(Error::Busy),
                Some(_) => {}
            }
            while let Some((sequence, index)) = self.ended.pop() {
                model.keep_sequence(sequence, &self.answers[index].history, CheckpointKind::Answer).await?;
            }
            if self.cancelled.get() {
                self.end_all();
                continue;
            }
            self.fill();
            let prefill =
                self.sequences.iter().position(|s| matches!(s, Some(Active { phase: Phase::Prefill(_), .. })));
            if let Some(sequence) = prefill {
                self.prefill(model, sequence).await?;
            } else if self.sequences.iter().any(Option::is_some) {
                self.decode(model).await?;
            } else {
                // The room of many states is given back.
                if model.executor().sequences() > 1 {
                    self.epoch = Some(model.begin_many(1).await?);
                }
                return Ok(None);
            }
        }
    }

    /// Gives free sequences the next prompts.
    fn fill(&mut self) {
        for sequence in self.sequences.iter_mut().filter(|sequence| sequence.is_none()) {
            let Some(index) = self.waiting.pop_front() else { return };
            *sequence = Some(Active { index, phase: Phase::Prefill(0) });
        }
    }

    /// Reads a chunk of a sequence's prompt.
    async fn prefill(&mut self, model: &mut Model, sequence: usize) -> Result<()> {
        let Some(Active { index, phase: Phase::Prefill(done) }) = self.sequences[sequence] else {
            unreachable!("called for a sequence that reads its prompt")
        };
        let start = Instant::now();
        let done = match done {
            0 => model.begin_sequence_at(sequence, &self.answers[index].history, self.reuse)?,
            done => done,
        };
        let total = self.answers[index].history.len();
        let end = total.min(done + model.max_tokens());
        let before_last = if end == total && self.is_asked_again(index) { total - 1 } else { done };
        let answer = &mut self.answers[index];
        if before_last > done {
            model.executor().forward(sequence, &answer.history[done..before_last], Outputs::None).await?;
            model.keep_sequence(sequence, &answer.history[..before_last], CheckpointKind::Prompt).await?;
        }
        let chunk = &answer.history[before_last..end];
        let wants_token = end == total && !answer.is_full();
        let chosen = match wants_token {
            true => Some(model.executor().sample(sequence, chunk, &mut answer.sampler).await?),
            false => {
                model.executor().forward(sequence, chunk, Outputs::None).await?;
                None
            }
        };
        answer.prefilled += end - done;
        answer.prefill_time += start.elapsed();
        self.events.push_back(EventOf { index, event: Event::Prefill { done: end, total } });
        self.last_token[index] = Instant::now();
        match chosen {
            Some(id) => self.take(model, sequence, id),
            None if end == total => self.end(sequence, StopReason::Length),
            None => self.sequences[sequence] = Some(Active { index, phase: Phase::Prefill(end) }),
        }
        Ok(())
    }

    /// Whether another prompt that was not begun is the same: it is read once, and the sequences fork.
    fn is_asked_again(&self, index: usize) -> bool {
        let begun = |i: usize| self.answers[i].prefilled > 0;
        let same = |i: usize| i != index && !begun(i) && self.answers[i].history == self.answers[index].history;
        self.reuse && (0..self.answers.len()).any(same)
    }

    /// Whether several answers are asked for to the same prompt: whoever asked will go on from one of them, nobody knows which.
    fn is_one_of_several(&self, index: usize) -> bool {
        let prompt = self.answers[index].prompt();
        self.reuse && self.answers.iter().filter(|answer| answer.prompt() == prompt).count() > 1
    }

    /// One token of every answer.
    async fn decode(&mut self, model: &mut Model) -> Result<()> {
        let start = Instant::now();
        let active = |(sequence, active): (usize, &Option<Active>)| match active {
            Some(Active { index, phase: Phase::Feed(token) }) => Some((sequence, *index, *token)),
            _ => None,
        };
        let active: Vec<_> = self.sequences.iter().enumerate().filter_map(active).collect();
        let tokens: Vec<_> = active.iter().map(|&(sequence, _, token)| (sequence, token)).collect();
        let mut all: Vec<Option<&mut Sampler>> = self.answers.iter_mut().map(|a| Some(&mut a.sampler)).collect();
        let mut samplers: Vec<_> = active.iter().filter_map(|&(_, index, _)| all[index].take()).collect();
        let ids = model.executor().sample_batch(&tokens, &mut samplers).await?;
        for (&(sequence, index, _), id) in active.iter().zip(ids) {
            self.answers[index].decode_time += start.elapsed();
            self.take(model, sequence, id);
        }
        Ok(())
    }

    /// Takes the token that was chosen for a sequence.
    fn take(&mut self, model: &Model, sequence: usize, id: u32) {
        let Some(Active { index, .. }) = self.sequences[sequence] else { unreachable!("only active sequences choose") };
        match self.answers[index].take(model, id) {
            Taken::Token(text) => {
                let milliseconds = 1e3 * self.last_token[index].elapsed().as_secs_f64();
                self.last_token[index] = Instant::now();
                self.events.push_back(EventOf { index, event: Event::Token { id, text, milliseconds } });
                match self.answers[index].is_full() {
                    true => self.end(sequence, StopReason::Length),
                    false => self.sequences[sequence] = Some(Active { index, phase: Phase::Feed(id) }),
                }
            }
            Taken::End(stop, text) => self.end_with(sequence, stop, text),
        }
    }

    fn end(&mut self, sequence: usize, stop: StopReason) {
        if let Some(Active { index, .. }) = self.sequences[sequence] {
            let text = self.answers[index].rest();
            self.end_with(sequence, stop, text);
        }
    }

    fn end_with(&mut self, sequence: usize, stop: StopReason, text: String) {
        if let Some(Active { index, .. }) = self.sequences[sequence].take() {
            let event = self.answers[index].end(stop, text);
            self.events.push_back(EventOf { index, event });
            if self.is_one_of_several(index) {
                self.ended.push((sequence, index));
            }
        }
    }

    fn end_all(&mut self) {
        for sequence in 0..self.sequences.len() {
            self.end(sequence, StopReason::Cancelled);
        }
        for index in std::mem::take(&mut self.waiting) {
            let event = self.answers[index].end(StopReason::Cancelled, String::new());
            self.events.push_back(EventOf { index, event });
        }
        self.cancelled.set(false);
    }
}
