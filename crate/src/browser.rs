//! What wgpu cannot do in a browser, and the engine needs there: below the engine, where `web` is above it.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/browser.js")]
extern "C" {
    /// Whether this is a place where GPUs are asked for.
    #[wasm_bindgen(js_name = hasGpus)]
    pub fn has_gpus() -> bool;

    /// Makes the device requests of this engine ask for subgroups.
    #[wasm_bindgen(js_name = askForSubgroups)]
    pub fn ask_for_subgroups();

    type Background;
    #[wasm_bindgen(constructor)]
    fn new(device: &JsValue) -> Background;
    #[wasm_bindgen(method)]
    async fn finished(this: &Background) -> JsValue;
    #[wasm_bindgen(method)]
    fn end(this: &Background);
}

/// A device that makes pipelines beside its other work. While this lives, the device answers a request for a pipeline with a
/// placeholder and compiles. Once that is finished, the same request gives the pipeline.
pub struct BackgroundCompiler(Background);

impl BackgroundCompiler {
    pub fn new(device: &impl AsRef<JsValue>) -> Self {
        Self(Background::new(device.as_ref()))
    }

    /// Waits for every pipeline that was asked for.
    ///
    /// # Errors
    /// What the browser says of one that cannot be made.
    pub async fn finished(&self) -> Result<(), String> {
        self.0.finished().await.as_string().map_or(Ok(()), Err)
    }
}

impl Drop for BackgroundCompiler {
    fn drop(&mut self) {
        self.0.end();
    }
}
