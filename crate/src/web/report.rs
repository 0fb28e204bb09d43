//! `Model.bench`.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::arguments::Options;
use super::model::{JsModel, settle};
use super::signal::Signal;
use crate::error::Result;
use crate::measure::{BenchOptions, BenchStep, bench};

fn bench_options(options: &JsValue) -> Result<(BenchOptions, Option<Function>, Signal)> {
    let mut options = Options::of_call(options)?;
    let defaults = BenchOptions::default();
    let bench = BenchOptions {
        prompt_tokens: options.take("promptTokens")?.unwrap_or(defaults.prompt_tokens),
        gen_tokens: options.take("genTokens")?.unwrap_or(defaults.gen_tokens),
        runs: options.take("runs")?.unwrap_or(defaults.runs),
        sequences: options.take("sequences")?.unwrap_or(defaults.sequences),
        stages: options.take("stages")?.unwrap_or(defaults.stages),
    };
    let (on_progress, signal) = (options.take("onProgress")?, options.take("signal")?.unwrap_or_default());
    options.finish()?;
    Ok((bench, on_progress, signal))
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// Times prefill and decode, and what this device could do.
    #[wasm_bindgen(unchecked_return_type = "Promise<BenchReport>")]
    pub fn bench(&self, #[wasm_bindgen(unchecked_optional_param_type = "BenchOptions")] options: JsValue) -> Promise {
        let prepare = || Ok((bench_options(&options)?, self.model.take()?));
        settle(prepare(), async |((options, on_progress, mut signal), mut model)| {
            signal.check()?;
            let mut progress = |step: BenchStep, done: usize, runs: usize| {
                if let Some(callback) = &on_progress {
                    report_progress(callback, step, done, runs);
                }
            };
            let report = bench(&mut model, &options, &mut progress, &mut signal).await;
            Ok(serde_wasm_bindgen::to_value(&report.map_err(|error| signal.thrown(error))?)?)
        })
    }
}

fn report_progress(callback: &Function, step: BenchStep, done: usize, runs: usize) {
    let event = js_sys::Object::new();
    let step = serde_wasm_bindgen::to_value(&step).unwrap_or_default();
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&event, &"step".into(), &step);
    let _ = Reflect::set(&event, &"done".into(), &done.into());
    let _ = Reflect::set(&event, &"runs".into(), &runs.into());
    // A listener that throws must not end the measurement.
    let _ = callback.call1(&JsValue::UNDEFINED, &event);
}
