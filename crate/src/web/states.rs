//! `State`, and what a `Model` does with states.

use js_sys::{Function, Uint8Array, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::{
    Float32Array, JsByteSource, JsLoadOptions, JsModel, JsPrompt, from_js, report_progress, source, to_js,
    to_load_options, to_prompt,
};
use crate::engine::LoadOptions;
use crate::snapshot::{Numbers, Snapshot};
use crate::tokenizer::ChatMessage;

#[wasm_bindgen]
extern "C" {
    /// `ChatMessage[]`.
    #[wasm_bindgen(typescript_type = "ChatMessage[]")]
    pub type JsMessages;

    /// `'f32' | 'f16'`.
    #[wasm_bindgen(typescript_type = "'f32' | 'f16'")]
    pub type JsNumbers;

    /// `CheckpointInfo[]`.
    #[wasm_bindgen(typescript_type = "CheckpointInfo[]")]
    pub type JsCheckpointInfos;

    /// `CheckpointOptions`.
    #[wasm_bindgen(typescript_type = "CheckpointOptions")]
    pub type JsCheckpointOptions;
}

/// What a model remembers at one point, as a value.
#[wasm_bindgen(js_name = State)]
pub struct JsState {
    snapshot: Snapshot,
}

#[wasm_bindgen(js_class = State)]
impl JsState {
    /// Tokens read.
    #[wasm_bindgen(getter)]
    pub fn position(&self) -> usize {
        self.snapshot.position()
    }

    /// Every token that was read, oldest first.
    #[wasm_bindgen(getter)]
    pub fn tokens(&self) -> Uint32Array {
        Uint32Array::from(&*self.snapshot.tokens)
    }

    /// The conversation that the tokens are of, where somebody told; else empty.
    #[wasm_bindgen(getter)]
    pub fn messages(&self) -> Result<JsMessages, JsValue> {
        Ok(serde_wasm_bindgen::to_value(&self.snapshot.messages)?.unchecked_into())
    }

    /// Tells the conversation that the tokens are of; it goes into the file.
    #[wasm_bindgen(setter)]
    pub fn set_messages(&mut self, messages: JsMessages) -> Result<(), JsValue> {
        self.snapshot.messages = from_js::<Vec<ChatMessage>>(messages.into())?;
        Ok(())
    }

    /// Another value of the same; what becomes of one changes nothing of the other. They share their numbers.
    pub fn fork(&self) -> JsState {
        Self { snapshot: self.snapshot.clone() }
    }

    /// As a file. `f32` (the default) restores bit for bit, `f16` takes half the bytes.
    pub fn bytes(&self, numbers: Option<JsNumbers>) -> Result<Uint8Array, JsValue> {
        let numbers = numbers.map_or_else(|| Ok(Numbers::F32), |numbers| from_js(numbers.into()))?;
        Ok(Uint8Array::from(self.snapshot.to_bytes(numbers).map_err(to_js)?.as_slice()))
    }
}

/// `CheckpointOptions`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckpointOptions {
    memory_bytes: Option<f64>,
    interval: Option<usize>,
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// Names the model in states: equal for equal files, wherever they run.
    pub fn hash(&self) -> Result<String, JsValue> {
        self.model.with(|model| Ok(model.hash().to_string())).map_err(to_js)
    }

    /// What the model remembers now. Between two events of an answer it can be saved too.
    #[wasm_bindgen(js_name = saveState)]
    pub async fn save_state(&self) -> Result<JsState, JsValue> {
        let mut model = self.model.take().map_err(to_js)?;
        let snapshot = model.save_state().await;
        self.model.put(model);
        Ok(JsState { snapshot: snapshot.map_err(to_js)? })
    }

    /// Takes the model to a state. An answer that still runs is over then.
    #[wasm_bindgen(js_name = restoreState)]
    pub async fn restore_state(&self, state: &JsState) -> Result<(), JsValue> {
        let snapshot = state.snapshot.clone();
        let mut model = self.model.take().map_err(to_js)?;
        let restored = model.restore_state(&snapshot).await;
        self.model.put(model);
        restored.map_err(to_js)
    }

    /// Reads a state file, and refuses one of another model, or one that is not as it was saved.
    #[wasm_bindgen(js_name = readState)]
    pub fn read_state(&self, bytes: &[u8]) -> Result<JsState, JsValue> {
        let snapshot = Snapshot::from_bytes(bytes).map_err(to_js)?;
        self.model.with(|model| model.check_state(&snapshot)).map_err(to_js)?;
        Ok(JsState { snapshot })
    }

    /// Logits after `tokens`, read after what was read before.
    #[wasm_bindgen(js_name = continueLogits)]
    pub async fn continue_logits(&self, tokens: Vec<u32>) -> Result<Float32Array, JsValue> {
        let mut model = self.model.take().map_err(to_js)?;
        let logits = model.continue_logits(&tokens).await;
        self.model.put(model);
        Ok(Float32Array::from(logits.map_err(to_js)?.as_slice()))
    }

    /// The ids that a prompt is read as.
    #[wasm_bindgen(js_name = promptTokens)]
    pub fn prompt_tokens(&self, prompt: JsPrompt) -> Result<Uint32Array, JsValue> {
        let prompt = to_prompt(prompt.into())?;
        let tokens = self.model.with(|model| prompt.tokens(model)).map_err(to_js)?;
        Ok(Uint32Array::from(tokens.as_slice()))
    }

    /// The ids that every conversation begins with which goes on from these messages: what can be read ahead of it.
    #[wasm_bindgen(js_name = conversationTokens)]
    pub fn conversation_tokens(&self, messages: JsMessages) -> Result<Uint32Array, JsValue> {
        let messages: Vec<ChatMessage> = from_js(messages.into())?;
        let tokens = self.model.with(|model| model.tokenizer()?.encode_start(&messages)).map_err(to_js)?;
        Ok(Uint32Array::from(tokens.as_slice()))
    }

    /// How many of these tokens, the last one left out, an answer to them would not have to read.
    #[wasm_bindgen(js_name = knownTokens)]
    pub fn known_tokens(&self, tokens: &[u32]) -> Result<usize, JsValue> {
        self.model.with(|model| Ok(model.known_tokens(tokens))).map_err(to_js)
    }

    /// How much memory checkpoints may take, and how often they are made while a prompt is read.
    #[wasm_bindgen(js_name = setCheckpoints)]
    pub fn set_checkpoints(&self, options: JsCheckpointOptions) -> Result<(), JsValue> {
        let CheckpointOptions { memory_bytes, interval } = from_js(options.into())?;
        let set = |model: &mut crate::engine::Model| {
            let checkpoints = model.checkpoints();
            memory_bytes.into_iter().for_each(|bytes| checkpoints.set_budget(bytes as usize));
            interval.into_iter().for_each(|tokens| checkpoints.set_interval(tokens));
            Ok(())
        };
        self.model.with_mut(set).map_err(to_js)
    }

    /// Checkpoints that were made since the last call and are still kept, for a page that keeps them longer.
    #[wasm_bindgen(js_name = newCheckpoints)]
    pub fn new_checkpoints(&self) -> Result<JsCheckpointInfos, JsValue> {
        let new = self.model.with_mut(|model| Ok(model.checkpoints().take_new())).map_err(to_js)?;
        Ok(serde_wasm_bindgen::to_value(&new)?.unchecked_into())
    }

    /// A checkpoint, or undefined where it is no longer kept.
    pub fn checkpoint(&self, id: f64) -> Result<Option<JsState>, JsValue> {
        let found = self.model.with_mut(|model| Ok(model.checkpoints().get(id as u64).cloned())).map_err(to_js)?;
        Ok(found.map(|snapshot| JsState { snapshot }))
    }

    /// Adds a state to the checkpoints that prompts can begin from; the model stays where it is.
    #[wasm_bindgen(js_name = addCheckpoint)]
    pub fn add_checkpoint(&self, state: &JsState) -> Result<(), JsValue> {
        self.model.with_mut(|model| model.add_checkpoint(&state.snapshot)).map_err(to_js)
    }

    /// Loads the same model again after `device-lost`. Checkpoints stay, and an answer that was interrupted goes on when it is
    /// asked for its next event.
    pub async fn reload(&self, sources: Vec<JsByteSource>, options: Option<JsLoadOptions>) -> Result<(), JsValue> {
        let sources = source::to_sources(sources);
        let load_options = options.as_ref().map_or_else(|| Ok(LoadOptions::default()), to_load_options)?;
        let on_progress: Option<Function> = options.as_ref().and_then(JsLoadOptions::on_progress);
        let mut model = self.model.take().map_err(to_js)?;
        let mut progress = |done: u64, total: u64| report_progress(&on_progress, done, total);
        let loaded = model.reload(sources, &load_options, &mut progress).await;
        let info = serde_wasm_bindgen::to_value(model.info());
        self.model.put(model);
        loaded.map_err(to_js)?;
        *self.info.borrow_mut() = info?;
        Ok(())
    }
}
