//! The scheduler: one or more prompts over as many sequences as run at once, from prompts to events.
//!
//! Decoding one token of every sequence reads the weights once. A prompt that waits gets the sequence of a completion that has ended.
//! Nothing is borrowed between events, so that a caller can stop, save the state, or load the model again in between.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use web_time::Instant;

use super::completion::Completion;
use super::constrained;
use super::{Event, GenerateOptions, Prompt, SequenceEvent, StopReason};
use crate::checkpoints::CheckpointKind;
use crate::constraint::Constraint;
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::executor::{MAX_SEQUENCES, Outputs};
use crate::sampler::{Sampler, random_seed};

/// The generation of completions of one or more prompts. It borrows nothing: [`Generation::next`] is given the model each time.
pub struct Generation {
    completions: Vec<Completion>,
    /// Prompts not yet begun.
    waiting: VecDeque<usize>,
    /// What each sequence works on.
    sequences: Vec<Option<Active>>,
    cancelled: Rc<Cell<bool>>,
    /// The epoch of the model in which the states are this generation's (see [`Model::begin`]): `None` before the first, and after a
    /// lost device.
    epoch: Option<u64>,
    reuse: bool,
    resume: bool,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    /// The index of the prompt.
    index: usize,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The state has nothing of the history, at the beginning or after a lost device.
    Start,
    /// Tokens of the history read so far.
    Prefill(usize),
    /// The history is read, and this token was sampled after it. Its event is still to come.
    Sampled(u32),
    /// The event of this token is out, and the model has not read it yet.
    Decode(u32),
    /// The completion has all tokens that it may have.
    Full,
}

impl Generation {
    /// Prepares the completion of one prompt; the model runs only when events are asked for.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`], [`Error::InvalidOption`], [`Error::ChatTemplate`], or
    /// [`Error::Vocabulary`] where a text is given to a model without a vocabulary; [`Error::StateUnknown`] where there is
    /// nothing to resume.
    pub fn new(model: &Model, prompt: &Prompt, options: GenerateOptions) -> Result<Self> {
        let completion = Completion::new(model, prompt, &options)?;
        Ok(Self::of(vec![completion], &options, 1))
    }

    /// Prepares the completions of several prompts, at most `sequences` at once (1 to [`MAX_SEQUENCES`]). The one of prompt i draws with
    /// the seed plus i. Equal prompts are read once, and the states fork.
    ///
    /// # Errors
    /// As of [`Generation::new`] for any of the prompts, and [`Error::InvalidOption`] for the number of sequences.
    pub fn batch(model: &Model, prompts: &[Prompt], options: &GenerateOptions, sequences: usize) -> Result<Self> {
        if !(1..=MAX_SEQUENCES).contains(&sequences) {
            let (option, expected) = ("sequences", "a number from 1 to 32");
            return Err(Error::InvalidOption { option, found: sequences.to_string(), expected });
        }
        let first = options.sampler.seed.unwrap_or_else(random_seed);
        let completion = |(index, prompt): (u64, &Prompt)| {
            let mut options = options.clone();
            options.sampler.seed = Some(first.wrapping_add(index));
            Completion::new(model, prompt, &options)
        };
        let completions = (0..).zip(prompts).map(completion).collect::<Result<Vec<_>>>()?;
        Ok(Self::of(completions, options, sequences))
    }

    fn of(completions: Vec<Completion>, options: &GenerateOptions, sequences: usize) -> Self {
        Self {
            waiting: (0..completions.len()).collect(),
            sequences: vec![None; sequences.min(completions.len())],
            completions,
            cancelled: Rc::default(),
            epoch: None,
            reuse: options.reuse || options.resume,
            resume: options.resume,
        }
    }

    /// Has a constraint decide the tokens of a prompt's completion. A thought that the prompt opens is written before it freely. Of a prompt
    /// whose last `written` tokens are the beginning of the answer, the constraint goes on after these. To be called before the first event.
    ///
    /// # Errors
    /// [`Error::Grammar`] where the constraint fails, or allows none of the model's tokens; [`Error::Vocabulary`] for a model without one.
    pub fn constrain(
        &mut self,
        model: &Model,
        index: usize,
        constraint: Box<dyn Constraint>,
        written: usize,
    ) -> Result<()> {
        assert!(index < self.completions.len(), "there is no prompt {index}");
        self.completions[index].constrain(model, constraint, written)
    }

    /// A switch that ends every completion at the next events once it is set.
    pub fn cancelled(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.cancelled)
    }

    /// Whether every completion has ended.
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.sequences.iter().all(Option::is_none)
    }

    /// Runs the model up to the next event; `None` after the last end. For one prompt: [`Generation::next_indexed`] also gives the prompt.
    ///
    /// # Errors
    /// As of [`Generation::next_indexed`].
    pub async fn next(&mut self, model: &mut Model) -> Result<Option<Event>> {
        Ok(self.next_indexed(model).await?.map(|of| of.event))
    }

    /// Runs the model up to the next event of any completion; `None` after the last end.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] or [`Error::Worker`] where the device or a worker is lost: after [`Model::reload`] the next call continues
    /// the same completions.
    /// [`Error::OutOfMemory`] where there is no room for the states, [`Error::Gpu`] where the device fails, [`Error::Busy`] where
    /// another use of the model has begun a new epoch in between: the generation is over then.
    pub async fn next_indexed(&mut self, model: &mut Model) -> Result<Option<SequenceEvent>> {
        if self.is_over() {
            return Ok(None);
        }
        let event = self.step(model).await;
        match &event {
            Ok(event) => {
                self.completions[event.index].note_event();
                if self.is_over() {
                    self.free_states(model).await;
                }
            }
            Err(error) if error.is_loss() => self.start_again(),
            Err(_) => {
                self.waiting.clear();
                self.sequences.fill(None);
            }
        }
        event.map(Some)
    }

    /// Reads all histories again. No token is lost: those whose events are out are in the histories; a sampled one is given out first.
    fn start_again(&mut self) {
        self.epoch = None;
        for active in self.sequences.iter_mut().flatten() {
            if let Phase::Prefill(_) | Phase::Decode(_) = active.phase {
                active.phase = Phase::Start;
            }
        }
    }

    async fn step(&mut self, model: &mut Model) -> Result<SequenceEvent> {
        loop {
            if self.cancelled.get() {
                return Ok(self.cancel_one(model).await);
            }
            match self.epoch {
                Some(epoch) if model.has_interrupted(epoch) => self.start_again(),
                Some(epoch) if epoch != model.epoch() => return Err(Error::Busy),
                _ => {}
            }
            if let Some((sequence, Active { index, phase })) =
                self.active(|phase| matches!(phase, Phase::Sampled(_) | Phase::Full))
            {
                let event = match phase {
                    Phase::Sampled(id) => self.take(model, sequence, index, id),
                    _ => self.completions[index].end_full(),
                };
                return Ok(self.prepare_event(model, sequence, index, event).await);
            }
            if self.epoch.is_none() {
                self.begin(model).await?;
            }
            self.fill();
            if let Some((sequence, active)) = self.active(|phase| matches!(phase, Phase::Start | Phase::Prefill(_))) {
                let event = self.prefill(model, sequence, active).await?;
                return Ok(SequenceEvent { index: active.index, event });
            }
            self.decode(model).await?;
        }
    }

    /// The first sequence in such a phase.
    fn active(&self, is_wanted: impl Fn(Phase) -> bool) -> Option<(usize, Active)> {
        let mut all = self.sequences.iter().enumerate();
        all.find_map(|(sequence, active)| {
            active.filter(|active| is_wanted(active.phase)).map(|active| (sequence, active))
        })
    }

    async fn begin(&mut self, model: &mut Model) -> Result<()> {
        if self.resume && self.sequences.len() > 1 {
            // The present state, from which the completions continue, would be lost otherwise.
            model.keep_checkpoint(0, CheckpointKind::Prompt).await?;
        }
        self.epoch = Some(model.begin_sequences(self.sequences.len()).await?);
        Ok(())
    }

    /// Gives free sequences the next prompts.
    fn fill(&mut self) {
        for sequence in self.sequences.iter_mut().filter(|sequence| sequence.is_none()) {
            let Some(index) = self.waiting.pop_front() else { return };
            *sequence = Some(Active { index, phase: Phase::Start });
        }
    }

    /// Reads a chunk of a sequence's history, and samples the token after the last.
    async fn prefill(&mut self, model: &mut Model, sequence: usize, active: Active) -> Result<Event> {
        let start = Instant::now();
        let completion = &mut self.completions[active.index];
        let done = match active.phase {
            Phase::Prefill(done) => done,
            _ => {
                let known = model.start_sequence(sequence, &completion.history, self.reuse)?;
                completion.kept_at = known;
                if known > 0 && known == completion.shared {
                    // The present state has it, or a checkpoint that would not stay.
                    model.keep_checkpoint(sequence, CheckpointKind::Shared).await?;
                }
                known
            }
        };
        let history = &completion.history;
        let total = history.len();
        let mut end = total.min(done + model.max_tokens());
        if (done + 1..end).contains(&completion.shared) {
            end = completion.shared;
        }
        // Where the same prompt is completed again, also by another sequence, and where its conversation goes on.
        let (lasting, mut read) = (completion.lasting(), done);
        if self.reuse && (done + 1..end).contains(&lasting) {
            model.read(sequence, &history[done..lasting], Outputs::None).await?;
            model.keep_checkpoint(sequence, CheckpointKind::Prompt).await?;
            read = lasting;
        }
        let chunk = &history[read..end];
        let phase = if end == total && !completion.is_full() {
            let chunk = chunk.to_vec();
            Phase::Sampled(constrained::sample(model, sequence, &chunk, completion).await?)
        } else {
            model.read(sequence, chunk, Outputs::None).await?;
            if end == total { Phase::Full } else { Phase::Prefill(end) }
        };
        let is_due = end - completion.kept_at >= model.checkpoints().interval();
        if self.reuse && end < total && (is_due || end == completion.shared) {
            let kind = if end == completion.shared { CheckpointKind::Shared } else { CheckpointKind::Prefill };
            model.keep_checkpoint(sequence, kind).await?;
            completion.kept_at = end;
        }
        completion.prefilled += end - done;
        completion.prefill_time += start.elapsed();
        self.sequences[sequence] = Some(Active { phase, ..active });
        Ok(Event::Prefill { done: end, total })
    }

    /// Reads the last token of every completion and samples the next.
    async fn decode(&mut self, model: &mut Model) -> Result<()> {
        let start = Instant::now();
        let decoding = |(sequence, active): (usize, &Option<Active>)| match *active {
            Some(Active { index, phase: Phase::Decode(token) }) => Some((sequence, index, token)),
            _ => None,
        };
        let active: Vec<_> = self.sequences.iter().enumerate().filter_map(decoding).collect();
        let ids = match active.as_slice() {
            // The pass of a single sequence is faster than a batch's.
            &[(sequence, index, token)] if self.sequences.len() == 1 => {
                vec![self.decode_one(model, sequence, index, token).await?]
            }
            // All step together, also those whose next token is the only one possible: its pass costs a batch nothing.
            _ => {
                active.iter().try_for_each(|&(_, index, _)| constrained::mask(&mut self.completions[index]))?;
                let tokens: Vec<_> = active.iter().map(|&(sequence, _, token)| (sequence, token)).collect();
                let mut all: Vec<Option<&mut Sampler>> =
                    self.completions.iter_mut().map(|completion| Some(&mut completion.sampler)).collect();
                let mut samplers: Vec<_> = active.iter().filter_map(|&(_, index, _)| all[index].take()).collect();
                model.sample_batch(&tokens, &mut samplers).await?
            }
        };
        for (&(sequence, index, _), id) in active.iter().zip(ids) {
            self.completions[index].decode_time += start.elapsed();
            self.sequences[sequence] = Some(Active { index, phase: Phase::Sampled(id) });
        }
        Ok(())
    }

    /// Reads what the only sequence has not read, `token` last, and samples the next. A token that is the only one possible needs
    /// neither: it is read with those after it, as a chunk.
    async fn decode_one(&mut self, model: &mut Model, sequence: usize, index: usize, token: u32) -> Result<u32> {
        let completion = &mut self.completions[index];
        if let Some(token) = constrained::only(completion)? {
            completion.sampler.pass_over();
            return Ok(token);
        }
        let mut unread = model.pending(sequence).to_vec();
        if unread.is_empty() {
            // The history is unknown to a model whose executor was run directly.
            unread.push(token);
        }
        while unread.len() > model.max_tokens() {
            let chunk: Vec<u32> = unread.drain(..model.max_tokens()).collect();
            model.read(sequence, &chunk, Outputs::None).await?;
        }
        constrained::sample(model, sequence, &unread, completion).await
    }

    /// Makes the event of the token that was sampled for a sequence.
    fn take(&mut self, model: &mut Model, sequence: usize, index: usize, id: u32) -> Event {
        let completion = &mut self.completions[index];
        let event = completion.take(id);
        if matches!(event, Event::Token { .. }) && self.epoch.is_some() {
            model.note_pending(sequence, id, &completion.sampler);
        }
        let phase = match self.epoch {
            _ if completion.is_full() => Phase::Full,
            Some(_) => Phase::Decode(id),
            // The device was lost with the state.
            None => Phase::Start,
        };
        self.sequences[sequence] = Some(Active { index, phase });
        event
    }

    /// Ends one completion, first those that run and then those that wait.
    async fn cancel_one(&mut self, model: &mut Model) -> SequenceEvent {
        if let Some((sequence, Active { index, .. })) = self.active(|_| true) {
            let event = self.completions[index].end(StopReason::Cancelled);
            return self.prepare_event(model, sequence, index, event).await;
        }
        let Some(index) = self.waiting.pop_front() else { unreachable!("what is over takes no step") };
        SequenceEvent { index, event: self.completions[index].end(StopReason::Cancelled) }
    }

    /// Prepares an event. After the last one of a completion its sequence is free, and its state is kept where a prompt may continue it.
    async fn prepare_event(&mut self, model: &mut Model, sequence: usize, index: usize, event: Event) -> SequenceEvent {
        if matches!(event, Event::End { .. }) {
            self.sequences[sequence] = None;
            if self.reuse && self.epoch == Some(model.epoch()) && self.may_be_continued(index) {
                // The completion is whole: a device that fails now is reported by the next call.
                let _ = model.keep_checkpoint(sequence, CheckpointKind::Completion).await;
            }
        }
        SequenceEvent { index, event }
    }

    /// Frees the memory of several states when the generation is over; an error here is ignored likewise.
    async fn free_states(&self, model: &mut Model) {
        if self.sequences.len() > 1 && self.epoch == Some(model.epoch()) {
            let _ = model.begin_sequences(1).await;
        }
    }

    /// Whether a later prompt may continue a prompt's completion: a single completion, and any of several of the same prompt. The
    /// completions of different prompts, such as a document's sections, are not continued.
    fn may_be_continued(&self, index: usize) -> bool {
        let prompt = self.completions[index].prompt();
        self.completions.len() == 1 || self.completions.iter().filter(|other| other.prompt() == prompt).count() > 1
    }
}
