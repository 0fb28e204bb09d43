//! `planModel`.

use wasm_bindgen::prelude::*;

use super::{JsByteSource, JsLoadOptions, source, team, to_js, to_load_options};
use crate::engine::LoadOptions;
use crate::fit;

#[wasm_bindgen]
extern "C" {
    /// `ModelPlan`.
    #[wasm_bindgen(typescript_type = "ModelPlan")]
    pub type JsModelPlan;
}

/// Judges a model by its headers, before the bulk of it is fetched. Of a split set the first part alone will do.
#[wasm_bindgen(js_name = planModel)]
pub async fn plan_model(sources: Vec<JsByteSource>, options: Option<JsLoadOptions>) -> Result<JsModelPlan, JsValue> {
    let mut load_options = options.as_ref().map_or_else(|| Ok(LoadOptions::default()), to_load_options)?;
    let (crew, sources) = team::crew(options.as_ref().and_then(JsLoadOptions::workers), sources);
    load_options.crew = crew;
    let fit = fit::plan(source::to_sources(sources), &load_options).await.map_err(to_js)?;
    Ok(serde_wasm_bindgen::to_value(&fit)?.unchecked_into())
}
