//! `Model.generate` and `Model.generateBatch`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::arguments::{LogitBias, Options, Tokens, argument, chat_options};
use super::constraint::PageConstraint;
use super::exclusive::{Exclusive, GenerationHold};
use super::model::JsModel;
use super::signal::Signal;
use super::{next_task, to_js};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::generate::{GenerateOptions, Generation, Prompt, SequenceEvent};
use crate::sampler::SamplerOptions;

#[wasm_bindgen(module = "/src/web.js")]
extern "C" {
    /// Makes an async iterable of something with `next` and `cancel`.
    #[wasm_bindgen(js_name = asyncIterable)]
    fn async_iterable(generation: JsValue, signal: JsValue) -> JsValue;
}

/// The default of `sequences`.
const DEFAULT_SEQUENCES: usize = 8;

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// Reads the part of a prompt that no checkpoint knows, and generates its completion. From the first event to the last, other
    /// calls that change the model's state fail with `busy`.
    #[wasm_bindgen(unchecked_return_type = "AsyncIterableIterator<GenerateEvent>")]
    pub fn generate(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Prompt")] prompt: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "GenerateOptions & ConstraintOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let prompt: Prompt = argument("prompt", &prompt)?;
        let mut options = Options::of_call(&options)?;
        let (generate, signal) = generate_options(&mut options)?;
        let constraint = options.take::<PageConstraint>("constraint")?;
        options.finish()?;
        let make = |model: &Model| constrained(model, Generation::new(model, &prompt, generate)?, &constraint, 1);
        let generation = self.model.with(make)?;
        let handle = GenerationHandle::new(&self.model, generation, false);
        Ok(async_iterable(handle.into(), signal.as_js()))
    }

    /// Reads several prompts and generates their completions as a batch of `options.sequences` at once: the weights are read once
    /// for a token of each.
    #[wasm_bindgen(
        js_name = generateBatch,
        unchecked_return_type = "AsyncIterableIterator<GenerateEvent & { index: number }>"
    )]
    pub fn generate_batch(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Prompt[]")] prompts: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "BatchOptions & ConstraintOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let prompts: Vec<Prompt> = argument("prompts", &prompts)?;
        let mut options = Options::of_call(&options)?;
        let sequences = options.take("sequences")?.unwrap_or(DEFAULT_SEQUENCES);
        let (generate, signal) = generate_options(&mut options)?;
        let constraint = options.take::<PageConstraint>("constraint")?;
        options.finish()?;
        let make = |model: &Model| {
            let generation = Generation::batch(model, &prompts, &generate, sequences)?;
            constrained(model, generation, &constraint, prompts.len())
        };
        let handle = GenerationHandle::new(&self.model, self.model.with(make)?, true);
        Ok(async_iterable(handle.into(), signal.as_js()))
    }
}

fn constrained(
    model: &Model,
    mut generation: Generation,
    constraint: &Option<PageConstraint>,
    completions: usize,
) -> Result<Generation> {
    if let Some(constraint) = constraint {
        constraint.apply(model, &mut generation, completions)?;
    }
    Ok(generation)
}

fn generate_options(options: &mut Options) -> Result<(GenerateOptions, Signal)> {
    let defaults = GenerateOptions::default();
    let sampler = SamplerOptions::default();
    let sampler = SamplerOptions {
        temperature: options.take("temperature")?.unwrap_or(sampler.temperature),
        top_k: options.take("topK")?.unwrap_or(sampler.top_k),
        top_p: options.take("topP")?.unwrap_or(sampler.top_p),
        min_p: options.take("minP")?.unwrap_or(sampler.min_p),
        repetition_penalty: options.take("repetitionPenalty")?.unwrap_or(sampler.repetition_penalty),
        frequency_penalty: options.take("frequencyPenalty")?.unwrap_or(sampler.frequency_penalty),
        presence_penalty: options.take("presencePenalty")?.unwrap_or(sampler.presence_penalty),
        penalty_last_n: options.take("penaltyLastN")?.unwrap_or(sampler.penalty_last_n),
        logit_bias: options.take::<LogitBias>("logitBias")?.map(|bias| bias.0).unwrap_or_default(),
        seed: options.take("seed")?,
    };
    let chat = chat_options(options)?;
    let generate = GenerateOptions {
        sampler,
        max_tokens: options.take("maxTokens")?.unwrap_or(defaults.max_tokens),
        stop: options.take("stop")?.unwrap_or_default(),
        stop_tokens: options.take::<Tokens>("stopTokens")?.map(|tokens| tokens.0).unwrap_or_default(),
        ignore_eos: options.take("ignoreEos")?.unwrap_or(defaults.ignore_eos),
        thinking: chat.thinking,
        tools: chat.tools,
        reuse: options.take("reuse")?.unwrap_or(defaults.reuse),
        resume: options.take("resume")?.unwrap_or(defaults.resume),
        logprobs: options.take("logprobs")?,
        keep_after: options.take("keepAfter")?,
    };
    Ok((generate, options.take("signal")?.unwrap_or_default()))
}

/// A generation and its hold on the model; `web.js` makes an async iterable of it.
#[wasm_bindgen]
pub struct GenerationHandle {
    model: Exclusive<Model>,
    /// None while a step is under way.
    generation: RefCell<Option<Generation>>,
    /// Whether an event says which prompt it belongs to.
    indexed: bool,
    cancelled: Rc<Cell<bool>>,
    /// From the first event to the last.
    hold: RefCell<Option<Rc<GenerationHold>>>,
}

impl GenerationHandle {
    fn new(model: &Exclusive<Model>, generation: Generation, indexed: bool) -> Self {
        let cancelled = generation.cancelled();
        let (generation, hold) = (RefCell::new(Some(generation)), RefCell::default());
        Self { model: model.clone(), generation, indexed, cancelled, hold }
    }
}

#[wasm_bindgen]
impl GenerationHandle {
    /// The next event as an object, or undefined after the end.
    pub async fn next(&self) -> Result<JsValue, JsValue> {
        if self.hold.borrow().is_none() {
            *self.hold.borrow_mut() = Some(self.model.begin_generation()?);
        }
        // Lets a stop arrive between two tokens.
        JsFuture::from(next_task()).await?;
        let Some(mut generation) = self.generation.take() else { return Err(to_js(Error::Busy)) };
        let event = match self.model.take_for_generation().await {
            Ok(mut model) => generation.next_indexed(&mut model).await,
            Err(freed) => Err(freed),
        };
        let goes_on = matches!(event, Ok(Some(_))) && !generation.is_over();
        self.generation.replace(Some(generation));
        if !goes_on {
            // It has ended or failed. After a lost device it holds the model again with its next event.
            self.hold.take();
        }
        // An event within another is a map to serde, which would become a `Map`.
        let objects = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
        match event? {
            Some(event) if self.indexed => Ok(event.serialize(&objects)?),
            Some(SequenceEvent { event, .. }) => Ok(event.serialize(&objects)?),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// Ends every completion at the next event, and lets go of the model.
    pub fn cancel(&self) {
        self.cancelled.set(true);
        self.hold.take();
    }
}
