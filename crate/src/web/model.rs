//! `Model`: its description, and the calls that give logits.

use std::cell::RefCell;

use js_sys::{Float32Array, Promise, Uint32Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::arguments::{Options, Tokens, argument};
use super::exclusive::{Exclusive, ExclusiveGuard};
use super::load::{Load, Wanted};
use super::signal::Signal;
use super::to_js;
use crate::engine::Model;
use crate::error::Result;
use crate::tokenizer::Special;

/// A loaded model.
#[wasm_bindgen(js_name = Model)]
pub struct JsModel {
    pub(super) model: Exclusive<Model>,
    /// Changes only when the model is loaded again.
    loaded: std::rc::Rc<RefCell<LoadedInfo>>,
}

struct LoadedInfo {
    info: JsValue,
    wanted: Wanted,
}

impl JsModel {
    pub(super) fn new(model: Model, wanted: Wanted) -> Result<Self, JsValue> {
        let info = serde_wasm_bindgen::to_value(model.info())?;
        Ok(Self { model: Exclusive::new(model), loaded: std::rc::Rc::new(RefCell::new(LoadedInfo { info, wanted })) })
    }

    /// An object that is freed already, from which the class is taken.
    pub(super) fn freed() -> Self {
        let loaded = LoadedInfo { info: JsValue::UNDEFINED, wanted: Wanted::default() };
        Self { model: Exclusive::freed(), loaded: std::rc::Rc::new(RefCell::new(loaded)) }
    }

    fn logits_of(&self, tokens: &JsValue, options: &JsValue) -> Result<(ExclusiveGuard<Model>, Vec<u32>, Signal)> {
        let Tokens(tokens) = argument("tokens", tokens)?;
        let mut options = Options::of_call(options)?;
        let signal = options.take("signal")?.unwrap_or_default();
        options.finish()?;
        Ok((self.model.take()?, tokens, signal))
    }
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// Describes the model and where it runs.
    #[wasm_bindgen(unchecked_return_type = "ModelInfo")]
    pub fn info(&self) -> Result<JsValue, JsValue> {
        self.model.check()?;
        Ok(self.loaded.borrow().info.clone())
    }

    /// Frees its memory, at the latest when the running call has ended. Every later call fails with `freed`.
    #[wasm_bindgen(skip_typescript)]
    pub fn release(&self) {
        self.model.free();
    }

    /// Logits after the last token, from a fresh state: one number a token of the vocabulary.
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array>")]
    pub fn logits(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint32Array")] tokens: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Promise {
        settle(self.logits_of(&tokens, &options), async |(mut model, tokens, mut signal)| {
            signal.check()?;
            model.begin()?;
            let logits = model.continue_logits_pausing(&tokens, &mut signal).await;
            Ok(Float32Array::from(logits.map_err(|error| signal.thrown(error))?.as_slice()).into())
        })
    }

    /// Logits after `tokens`, read after what was read before.
    #[wasm_bindgen(js_name = continueLogits, unchecked_return_type = "Promise<Float32Array>")]
    pub fn continue_logits(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint32Array")] tokens: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Promise {
        settle(self.logits_of(&tokens, &options), async |(mut model, tokens, mut signal)| {
            signal.check()?;
            let logits = model.continue_logits_pausing(&tokens, &mut signal).await;
            Ok(Float32Array::from(logits.map_err(|error| signal.thrown(error))?.as_slice()).into())
        })
    }

    /// Ids of a text; the names of control tokens in it are read as these tokens.
    pub fn tokenize(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] text: JsValue,
    ) -> Result<Uint32Array, JsValue> {
        let text: String = argument("text", &text)?;
        let ids = self.model.with(|model| model.tokenizer()?.encode(&text, Special::Parse))?;
        Ok(Uint32Array::from(ids.as_slice()))
    }

    /// What each token says, as one run of bytes, for programs beside the engine: see `Tokenizer::token_table` of the crate.
    #[wasm_bindgen(js_name = tokenTable)]
    pub fn token_table(&self) -> Result<js_sys::Uint8Array, JsValue> {
        let table = self.model.with(|model| Ok(model.tokenizer()?.token_table()))?;
        Ok(js_sys::Uint8Array::from(table.as_slice()))
    }

    /// Loads the same model again, after `device-lost` or onto another backend. Checkpoints stay, and a running generation goes
    /// on with its next event. Options that are not given again stay as they were.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn reload(
        &self,
        #[wasm_bindgen(unchecked_param_type = "ByteSource[]")] sources: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "ReloadOptions")] options: JsValue,
    ) -> Promise {
        let loaded = self.loaded.clone();
        let prepare = || {
            let load = Load::prepare(&sources, &options, loaded.borrow().wanted.clone())?;
            Ok((load, self.model.take_between_steps()?, loaded.clone()))
        };
        settle(prepare(), async |(load, mut model, loaded)| {
            let wanted = load.reload(&mut model).await?;
            *loaded.borrow_mut() = LoadedInfo { info: serde_wasm_bindgen::to_value(model.info())?, wanted };
            Ok(JsValue::UNDEFINED)
        })
    }
}

/// Runs a call whose arguments are checked already; an error in them rejects its promise, as every later error does.
pub fn settle<A: 'static>(
    prepared: Result<A>,
    call: impl AsyncFnOnce(A) -> Result<JsValue, JsValue> + 'static,
) -> Promise {
    match prepared {
        Ok(arguments) => future_to_promise(async move { call(arguments).await }),
        Err(error) => Promise::reject(&to_js(error)),
    }
}
