//! A device that makes pipelines beside its other work.

use wasm_bindgen::prelude::*;

use super::arguments::told;

#[wasm_bindgen(module = "/src/web/compiling.js")]
extern "C" {
    type Background;
    #[wasm_bindgen(constructor)]
    fn new(device: &JsValue) -> Background;
    #[wasm_bindgen(method, catch)]
    async fn finished(this: &Background) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn end(this: &Background);
}

/// While this lives, its device answers a request for a pipeline with a placeholder and compiles. Once that is finished, the
/// same request gives the pipeline.
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
        self.0.finished().await.map_err(|thrown| told(&thrown))
    }
}

impl Drop for BackgroundCompiler {
    fn drop(&mut self) {
        self.0.end();
    }
}
