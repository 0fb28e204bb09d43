//! `loadModel` and `Model.reload`, and the preparation that `planModel` shares with them.

use std::rc::Rc;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::arguments::{Options, argument};
use super::model::{JsModel, settle};
use super::signal::Signal;
use super::source::{PageSource, byte_sources};
use super::workers;
use crate::engine::{BackendChoice, LoadOptions, Model};
use crate::error::Result;
use crate::executor::Activations;
use crate::gpu::GpuOptions;
use crate::source::ByteSource;
use crate::tokenizer::ChatTemplate;

/// The options that a page has set; they stay when the model is loaded again.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    backend: Option<BackendChoice>,
    activations: Option<Activations>,
    chat_template: Option<String>,
    self_test: Option<bool>,
    default_limits: Option<bool>,
    software: Option<bool>,
    start: Option<Function>,
    count: Option<usize>,
}

impl Wanted {
    fn take(options: &mut Options) -> Result<Self> {
        let (backend, activations) = (options.take("backend")?, options.take("activations")?);
        let chat_template = options.take::<String>("chatTemplate")?;
        // Before a file is read for it.
        chat_template.as_deref().map(ChatTemplate::check).transpose()?;
        let mut gpu = options.nested("gpu")?;
        let (self_test, software) = (gpu.take("gpu.selfTest")?, gpu.take("gpu.software")?);
        let default_limits = gpu.take("gpu.defaultLimits")?;
        gpu.finish()?;
        let mut workers = options.nested("workers")?;
        let (start, count) = (workers.take("workers.start")?, workers.take::<workers::Count>("workers.count")?);
        workers.finish()?;
        let count = count.map(|count| count.0);
        Ok(Self { backend, activations, chat_template, self_test, default_limits, software, start, count })
    }

    /// These options, and those of before that are not set now.
    fn or(self, before: Self) -> Self {
        Self {
            backend: self.backend.or(before.backend),
            activations: self.activations.or(before.activations),
            chat_template: self.chat_template.or(before.chat_template),
            self_test: self.self_test.or(before.self_test),
            default_limits: self.default_limits.or(before.default_limits),
            software: self.software.or(before.software),
            start: self.start.or(before.start),
            count: self.count.or(before.count),
        }
    }
}

/// A prepared load.
pub struct Load {
    pub sources: Vec<Rc<dyn ByteSource>>,
    pub options: LoadOptions,
    pub wanted: Wanted,
    pub signal: Signal,
    on_progress: Option<Function>,
}

impl Load {
    /// `before` is what the model was loaded with before.
    ///
    /// # Errors
    /// [`Error`](crate::Error) where an argument is not of its form.
    pub fn prepare(sources: &JsValue, options: &JsValue, before: Wanted) -> Result<Self> {
        Self::with(sources, Options::of_call(options)?, before)
    }

    /// As [`Load::prepare`], of options that a call has begun to take.
    ///
    /// # Errors
    /// As of [`Load::prepare`].
    pub fn with(sources: &JsValue, mut options: Options, before: Wanted) -> Result<Self> {
        let sources: Vec<PageSource> = argument("sources", sources)?;
        let wanted = Wanted::take(&mut options)?.or(before);
        let (on_progress, signal) = (options.take("onProgress")?, options.take("signal")?.unwrap_or_default());
        options.finish()?;
        let (workers, sources) = workers::worker_pool(wanted.start.as_ref(), wanted.count, sources)?;
        let Wanted { self_test, default_limits, software, .. } = wanted;
        let default_limits = default_limits.unwrap_or_default();
        let options = LoadOptions {
            backend: wanted.backend.unwrap_or_default(),
            activations: wanted.activations,
            chat_template: wanted.chat_template.clone(),
            workers,
            unix_seconds: Some((js_sys::Date::now() / 1e3) as i64),
            gpu: GpuOptions { self_test, default_limits, software, ..GpuOptions::default() },
            ..LoadOptions::default()
        };
        Ok(Self { sources: byte_sources(sources), options, wanted, signal, on_progress })
    }

    /// # Errors
    /// As of [`Model::load`]; the signal's reason.
    pub async fn load(self) -> Result<(Model, Wanted), JsValue> {
        let mut progress = |done: u64, total: u64| report_progress(&self.on_progress, done, total);
        let model = self.signal.ends(Model::load(self.sources, &self.options, &mut progress)).await?;
        Ok((model, self.wanted))
    }

    /// # Errors
    /// As of [`Model::reload`]; the signal's reason.
    pub async fn reload(self, model: &mut Model) -> Result<Wanted, JsValue> {
        let mut progress = |done: u64, total: u64| report_progress(&self.on_progress, done, total);
        self.signal.ends(model.reload(self.sources, &self.options, &mut progress)).await?;
        Ok(self.wanted)
    }
}

/// Loads a model from one source, or from every part of a split set.
#[wasm_bindgen(js_name = loadModel, unchecked_return_type = "Promise<Model>")]
pub fn load_model(
    #[wasm_bindgen(unchecked_param_type = "ByteSource[]")] sources: JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "LoadOptions")] options: JsValue,
) -> Promise {
    settle(Load::prepare(&sources, &options, Wanted::default()), async |load| {
        let (model, wanted) = load.load().await?;
        Ok(JsModel::new(model, wanted)?.into())
    })
}

/// Calls a listener with bytes done and bytes in all.
fn report_progress(listener: &Option<Function>, done: u64, total: u64) {
    if let Some(callback) = listener {
        let event = js_sys::Object::new();
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&event, &"done".into(), &(done as f64).into());
        let _ = Reflect::set(&event, &"total".into(), &(total as f64).into());
        // A listener that throws must not end the load.
        let _ = callback.call1(&JsValue::UNDEFINED, &event);
    }
}
