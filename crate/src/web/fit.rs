//! `planModel` and `judgeFit`: whether a device can hold a model, by the header of its file or by the numbers in a list of models.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

use super::arguments::{FromJs, Misfit, Options, Whole, argument, property};
use super::load::{Load, Wanted};
use super::model::settle;
use crate::fit::{self, CpuLimits, GpuLimits, HostMemory, Limits, Requirements};

/// Plans a model from its header, before the weights are fetched. Of a split set the first part is enough.
#[wasm_bindgen(js_name = planModel, unchecked_return_type = "Promise<ModelPlan>")]
pub fn plan_model(
    #[wasm_bindgen(unchecked_param_type = "ByteSource[]")] sources: JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "PlanOptions")] options: JsValue,
) -> Promise {
    let prepared = Options::of_call(&options).and_then(|mut options| {
        let memory = options.take::<HostMemory>("memory")?;
        Ok((Load::with(&sources, options, Wanted::default())?, memory))
    });
    settle(prepared, async |(load, memory)| {
        let fit = fit::plan_with_memory(load.sources, &load.options, memory);
        Ok(serde_wasm_bindgen::to_value(&load.signal.ends(fit).await?)?)
    })
}

/// Judges a model by what it requires and what a device has. It is `planModel`'s rule.
#[wasm_bindgen(js_name = judgeFit, unchecked_return_type = "FitVerdict")]
pub fn judge_fit(
    #[wasm_bindgen(unchecked_param_type = "ModelRequirements")] requirements: JsValue,
    #[wasm_bindgen(unchecked_param_type = "DeviceLimits")] limits: JsValue,
) -> Result<JsValue, JsValue> {
    let requirements = argument("requirements", &requirements)?;
    let limits = argument("limits", &limits)?;
    Ok(serde_wasm_bindgen::to_value(&fit::judge(&requirements, &limits))?)
}

/// More than any device has; what they address is still a whole number of JavaScript's.
const MAX_WORKERS: usize = 1 << 16;

/// Bytes that must be there, in a value of the type `Of`.
fn bytes<Of: FromJs>(object: &JsValue, name: &str) -> Result<u64, Misfit> {
    Ok(required::<Of, Whole>(object, name)?.0)
}

/// A property of a value of the type `Of` that must be there.
fn required<Of: FromJs, T: FromJs>(object: &JsValue, name: &str) -> Result<T, Misfit> {
    optional::<Of, T>(object, name)?.ok_or_else(|| Misfit {
        place: format!(".{name}"),
        found: "absent".into(),
        expected: T::EXPECTED,
    })
}

/// A property of a value of the type `Of` that may be left out.
fn optional<Of: FromJs, T: FromJs>(object: &JsValue, name: &str) -> Result<Option<T>, Misfit> {
    if !object.is_object() {
        return Err(Misfit::of::<Of>(object));
    }
    property(object, name).map_err(|misfit| misfit.within(&format!(".{name}")))
}

impl FromJs for Requirements {
    const EXPECTED: &'static str = "what a model requires: memory, largestBinding and ranks";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(Self {
            memory: bytes::<Self>(value, "memory")?,
            largest_binding: bytes::<Self>(value, "largestBinding")?,
            ranks: required::<Self, usize>(value, "ranks")? as u32,
        })
    }
}

impl FromJs for Limits {
    const EXPECTED: &'static str = "the limits of a device: gpu, workers and memory";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(Self {
            gpu: optional::<Self, _>(value, "gpu")?,
            cpu: CpuLimits::Workers(required::<Self, usize>(value, "workers")?.min(MAX_WORKERS) as u32),
            memory: optional::<Self, _>(value, "memory")?,
        })
    }
}

impl FromJs for GpuLimits {
    const EXPECTED: &'static str = "what a GPU grants: maxBuffer and maxBinding";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(Self { max_buffer: bytes::<Self>(value, "maxBuffer")?, max_binding: bytes::<Self>(value, "maxBinding")? })
    }
}

impl FromJs for HostMemory {
    const EXPECTED: &'static str = "a device's memory: bytes, and whether there may be more";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(Self {
            bytes: bytes::<Self>(value, "bytes")?,
            at_least: optional::<Self, _>(value, "atLeast")?.unwrap_or_default(),
        })
    }
}
