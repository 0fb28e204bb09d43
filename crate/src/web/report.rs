//! `Model.bench`.

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;

use super::{JsModel, from_js, to_js};
use crate::measure::{BenchOptions, BenchStep, bench};

#[wasm_bindgen]
extern "C" {
    /// `BenchOptions`.
    #[wasm_bindgen(typescript_type = "BenchOptions")]
    pub type JsBenchOptions;
    #[wasm_bindgen(method, getter, js_name = onProgress)]
    fn on_progress(this: &JsBenchOptions) -> Option<Function>;

    /// `BenchReport`.
    #[wasm_bindgen(typescript_type = "BenchReport")]
    pub type JsBenchReport;
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// Times prefill and decode, and what this device could do.
    pub async fn bench(&self, options: Option<JsBenchOptions>) -> Result<JsBenchReport, JsValue> {
        let on_progress = options.as_ref().and_then(JsBenchOptions::on_progress);
        let options: BenchOptions = match options {
            Some(options) => from_js(options.into())?,
            None => BenchOptions::default(),
        };
        let mut progress = |step: BenchStep, done: usize, runs: usize| {
            let Some(callback) = &on_progress else { return };
            let event = js_sys::Object::new();
            let step = serde_wasm_bindgen::to_value(&step).unwrap_or_default();
            // Setting a property of a fresh object cannot fail.
            let _ = Reflect::set(&event, &"step".into(), &step);
            let _ = Reflect::set(&event, &"done".into(), &done.into());
            let _ = Reflect::set(&event, &"runs".into(), &runs.into());
            // A listener that throws must not end the measurement.
            let _ = callback.call1(&JsValue::NULL, &event);
        };
        let mut model = self.model.take().map_err(to_js)?;
        let report = bench(&mut model, &options, &mut progress).await;
        self.model.put(model);
        Ok(serde_wasm_bindgen::to_value(&report.map_err(to_js)?)?.unchecked_into())
    }
}
