//! The JavaScript interface, the only file that knows JavaScript's values. TypeScript sees it as `TYPES` says.

mod compiling;
mod plan;
mod report;
mod source;
mod states;
mod team;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Float32Array, Function, Promise, Reflect, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::engine::{BackendChoice, LoadOptions, Model};
use crate::error::{Error, Result};
use crate::generate::{GenerateOptions, Generation, ManyGenerations, Prompt};
use crate::gpu::GpuOptions;
use crate::tokenizer::Special;

pub use compiling::BackgroundCompiler;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("web.d.ts");

#[wasm_bindgen(module = "/src/web.js")]
extern "C" {
    /// Makes an async iterable of something with `next` and `cancel`.
    #[wasm_bindgen(js_name = asyncIterable)]
    fn async_iterable(generation: JsValue) -> JsValue;

    /// Resolves after the event loop has turned once, so that a stop can arrive between two tokens.
    #[wasm_bindgen(js_name = nextTask)]
    fn next_task() -> Promise;

    /// Makes the device requests of this engine ask for subgroups.
    #[wasm_bindgen(js_name = askForSubgroups)]
    fn ask_for_subgroups();
}

#[wasm_bindgen]
extern "C" {
    /// A `ByteSource` of the page's.
    #[derive(Debug)]
    #[wasm_bindgen(typescript_type = "ByteSource")]
    pub type JsByteSource;
    #[wasm_bindgen(method, getter)]
    fn name(this: &JsByteSource) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn length(this: &JsByteSource) -> f64;
    #[wasm_bindgen(method, catch)]
    fn read(this: &JsByteSource, offset: f64, length: f64) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, getter, js_name = readColumns)]
    fn knows_columns(this: &JsByteSource) -> JsValue;
    #[wasm_bindgen(method, catch, js_name = readColumns)]
    fn read_columns(
        this: &JsByteSource,
        offset: f64,
        stride: f64,
        rows: f64,
        start: f64,
        width: f64,
    ) -> Result<Promise, JsValue>;

    /// `LoadOptions`.
    #[wasm_bindgen(typescript_type = "LoadOptions")]
    pub type JsLoadOptions;
    #[wasm_bindgen(method, getter)]
    fn backend(this: &JsLoadOptions) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn activations(this: &JsLoadOptions) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn gpu(this: &JsLoadOptions) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn workers(this: &JsLoadOptions) -> Option<team::JsWorkers>;
    #[wasm_bindgen(method, getter, js_name = onProgress)]
    fn on_progress(this: &JsLoadOptions) -> Option<Function>;

    /// What [`JsModel::generate`] reads.
    #[wasm_bindgen(typescript_type = "string | ChatMessage[] | Uint32Array")]
    pub type JsPrompt;

    /// `GenerateOptions`.
    #[wasm_bindgen(typescript_type = "GenerateOptions")]
    pub type JsGenerateOptions;

    /// `ManyOptions`.
    #[wasm_bindgen(typescript_type = "ManyOptions")]
    pub type JsManyOptions;
    #[wasm_bindgen(method, getter)]
    fn sequences(this: &JsManyOptions) -> Option<f64>;

    /// A stream of the events of many answers.
    #[wasm_bindgen(typescript_type = "AsyncIterableIterator<GenerateEvent & { index: number }>")]
    pub type JsManyEvents;

    /// A stream of events.
    #[wasm_bindgen(typescript_type = "AsyncIterableIterator<GenerateEvent>")]
    pub type JsEvents;

    /// `ModelInfo`.
    #[wasm_bindgen(typescript_type = "ModelInfo")]
    pub type JsModelInfo;
}

/// Answers that are written at once where nobody says how many.
const DEFAULT_SEQUENCES: usize = 8;

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
    ask_for_subgroups();
}

/// Loads a model from one source, or from every part of a split set.
#[wasm_bindgen(js_name = loadModel)]
pub async fn load_model(sources: Vec<JsByteSource>, options: Option<JsLoadOptions>) -> Result<JsModel, JsValue> {
    let mut load_options = options.as_ref().map_or_else(|| Ok(LoadOptions::default()), to_load_options)?;
    let (crew, sources) = team::crew(options.as_ref().and_then(JsLoadOptions::workers), sources);
    load_options.crew = crew;
    let sources = source::to_sources(sources);
    let on_progress = options.as_ref().and_then(JsLoadOptions::on_progress);
    let mut progress = |done: u64, total: u64| report_progress(&on_progress, done, total);
    let model = Model::load(sources, &load_options, &mut progress).await.map_err(to_js)?;
    let info = RefCell::new(serde_wasm_bindgen::to_value(model.info())?);
    Ok(JsModel { model: Slot::new(model), info })
}

/// Calls a listener with bytes done and bytes in all.
fn report_progress(listener: &Option<Function>, done: u64, total: u64) {
    if let Some(callback) = listener {
        let event = js_sys::Object::new();
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&event, &"done".into(), &(done as f64).into());
        let _ = Reflect::set(&event, &"total".into(), &(total as f64).into());
        // A listener that throws must not end the load.
        let _ = callback.call1(&JsValue::NULL, &event);
    }
}

/// A loaded model.
#[wasm_bindgen(js_name = Model)]
pub struct JsModel {
    model: Slot<Model>,
    /// It changes only where the model is loaded again.
    info: RefCell<JsValue>,
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// What it is and where it runs.
    pub fn info(&self) -> JsModelInfo {
        self.info.borrow().clone().unchecked_into()
    }

    /// Reads what of a prompt is not known already and writes an answer. A new call ends an older one that still runs.
    pub fn generate(&self, prompt: JsPrompt, options: Option<JsGenerateOptions>) -> Result<JsEvents, JsValue> {
        let prompt = to_prompt(prompt.into())?;
        let options: GenerateOptions = match options {
            Some(options) => from_js(options.into())?,
            None => GenerateOptions::default(),
        };
        let generation = self.model.with(|model| Generation::new(model, &prompt, options)).map_err(to_js)?;
        let cancelled = generation.cancelled();
        let handle = GenerationHandle { model: self.model.clone(), generation: Slot::new(generation), cancelled };
        Ok(async_iterable(handle.into()).unchecked_into())
    }

    /// Reads many prompts and writes their answers side by side, `options.sequences` of them at once: every token of all of
    /// them is one reading of the weights.
    #[wasm_bindgen(js_name = generateMany)]
    pub fn generate_many(
        &self,
        prompts: Vec<JsPrompt>,
        options: Option<JsManyOptions>,
    ) -> Result<JsManyEvents, JsValue> {
        let prompts = prompts.into_iter().map(|p| to_prompt(p.into())).collect::<Result<Vec<_>, _>>()?;
        let sequences = options.as_ref().and_then(JsManyOptions::sequences);
        let sequences = sequences.map_or(DEFAULT_SEQUENCES, |count| count as usize);
        let options: GenerateOptions = match options {
            Some(options) => from_js(options.into())?,
            None => GenerateOptions::default(),
        };
        let make = |model: &Model| ManyGenerations::new(model, &prompts, &options, sequences);
        let generation = self.model.with(make).map_err(to_js)?;
        let cancelled = generation.cancelled();
        let handle = ManyHandle { model: self.model.clone(), generation: Slot::new(generation), cancelled };
        Ok(async_iterable(handle.into()).unchecked_into())
    }

    /// Logits after the last token, from a fresh state: one number a token of the vocabulary.
    pub async fn logits(&self, tokens: Vec<u32>) -> Result<Float32Array, JsValue> {
        let mut model = self.model.take().map_err(to_js)?;
        let logits = model.logits(&tokens).await;
        self.model.put(model);
        Ok(Float32Array::from(logits.map_err(to_js)?.as_slice()))
    }

    /// Ids of a text; the names of control tokens in it are read as these tokens.
    pub fn tokenize(&self, text: &str) -> Result<Uint32Array, JsValue> {
        let ids = self.model.with(|model| model.tokenizer()?.encode(text, Special::Parse)).map_err(to_js)?;
        Ok(Uint32Array::from(ids.as_slice()))
    }
}

/// What gives events one after the other.
trait Events {
    type Event: Serialize;

    async fn next_event(&mut self, model: &mut Model) -> Result<Option<Self::Event>>;
}

impl Events for Generation {
    type Event = crate::generate::Event;

    async fn next_event(&mut self, model: &mut Model) -> Result<Option<Self::Event>> {
        self.next(model).await
    }
}

impl Events for ManyGenerations {
    type Event = crate::generate::EventOf;

    async fn next_event(&mut self, model: &mut Model) -> Result<Option<Self::Event>> {
        self.next(model).await
    }
}

/// The next event as an object, or undefined after the end.
async fn next_event<G: Events>(model: &Slot<Model>, generation: &Slot<G>) -> Result<JsValue, JsValue> {
    JsFuture::from(next_task()).await?;
    let mut events = generation.take().map_err(to_js)?;
    let event = match model.take() {
        Ok(mut taken) => {
            let event = events.next_event(&mut taken).await;
            model.put(taken);
            event
        }
        Err(busy) => Err(busy),
    };
    generation.put(events);
    match event.map_err(to_js)? {
        // An event within another is a map to serde, which would become a `Map`.
        Some(event) => Ok(event.serialize(&serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true))?),
        None => Ok(JsValue::UNDEFINED),
    }
}

/// An answer in the making; `web.js` makes an async iterable of it.
#[wasm_bindgen]
pub struct GenerationHandle {
    model: Slot<Model>,
    generation: Slot<Generation>,
    cancelled: Rc<Cell<bool>>,
}

#[wasm_bindgen]
impl GenerationHandle {
    /// The next event, or undefined after the end.
    pub async fn next(&self) -> Result<JsValue, JsValue> {
        next_event(&self.model, &self.generation).await
    }

    /// Ends the answer at the next event.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }
}

/// Answers in the making.
#[wasm_bindgen]
pub struct ManyHandle {
    model: Slot<Model>,
    generation: Slot<ManyGenerations>,
    cancelled: Rc<Cell<bool>>,
}

#[wasm_bindgen]
impl ManyHandle {
    /// The next event of any answer, or undefined after the last one's end.
    pub async fn next(&self) -> Result<JsValue, JsValue> {
        next_event(&self.model, &self.generation).await
    }

    /// Ends every answer at the next event.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }
}

/// Something that one caller at a time may hold across an await; another is told that it is busy.
struct Slot<T>(Rc<RefCell<Option<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    fn new(value: T) -> Self {
        Self(Rc::new(RefCell::new(Some(value))))
    }

    fn take(&self) -> Result<T> {
        self.0.borrow_mut().take().ok_or(Error::Busy)
    }

    fn put(&self, value: T) {
        *self.0.borrow_mut() = Some(value);
    }

    fn with<R>(&self, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        f(self.0.borrow().as_ref().ok_or(Error::Busy)?)
    }

    fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        f(self.0.borrow_mut().as_mut().ok_or(Error::Busy)?)
    }
}

/// `LoadOptions.gpu`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct JsGpuOptions {
    self_test: Option<bool>,
    only_promised: bool,
    software: Option<bool>,
}

fn to_load_options(options: &JsLoadOptions) -> Result<LoadOptions, JsValue> {
    let JsGpuOptions { self_test, only_promised, software } = optional(options.gpu())?.unwrap_or_default();
    Ok(LoadOptions {
        backend: optional(options.backend())?.unwrap_or(BackendChoice::Auto),
        activations: optional(options.activations())?,
        unix_seconds: Some((js_sys::Date::now() / 1e3) as i64),
        gpu: GpuOptions { self_test, only_promised, software, ..GpuOptions::default() },
        ..LoadOptions::default()
    })
}

/// A field that may be left out.
fn optional<T: serde::de::DeserializeOwned>(value: JsValue) -> Result<Option<T>, JsValue> {
    if value.is_undefined() { Ok(None) } else { from_js(value).map(Some) }
}

fn to_prompt(prompt: JsValue) -> Result<Prompt, JsValue> {
    if let Some(text) = prompt.as_string() {
        return Ok(Prompt::Text(text));
    }
    match prompt.dyn_into::<Uint32Array>() {
        Ok(tokens) => Ok(Prompt::Tokens(tokens.to_vec())),
        Err(messages) => Ok(Prompt::Chat(from_js(messages)?)),
    }
}

/// A JavaScript value in the form that the engine takes.
fn from_js<T: serde::de::DeserializeOwned>(value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|error| to_js(Error::Request { problem: error.to_string() }))
}

/// A JavaScript `Error` with `code` and `remedy` beside its message.
fn to_js(error: Error) -> JsValue {
    let value = js_sys::Error::new(&error.to_string());
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&value, &"code".into(), &error.code().into());
    let _ = Reflect::set(&value, &"remedy".into(), &error.remedy().into());
    value.into()
}
