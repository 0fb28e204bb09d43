//! `State`, and what a `Model` does with states.

use std::cell::RefCell;

use js_sys::{Promise, Uint8Array, Uint32Array};
use wasm_bindgen::convert::TryFromJsValue;
use wasm_bindgen::prelude::*;

use super::arguments::{FromJs, Misfit, Options, Tokens, Whole, argument, chat_options, optional_argument};
use super::model::{JsModel, settle};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::fingerprint::BeginningHash;
use crate::generate::Prompt;
use crate::snapshot::{Numbers, Snapshot, TunedOrder};
use crate::tokenizer::ChatMessage;

#[wasm_bindgen(module = "/src/web.js")]
extern "C" {
    /// A fork of a `State`, or undefined for what is none.
    #[wasm_bindgen(catch, js_name = forkOf)]
    fn fork_of(value: &JsValue) -> Result<JsValue, JsValue>;
}

/// A model's state at one point, as a value.
#[wasm_bindgen(js_name = State)]
pub struct JsState {
    /// `None` once it is freed.
    snapshot: RefCell<Option<Snapshot>>,
    /// Of a tuned state that was read from a file.
    order: Option<TunedOrder>,
}

impl JsState {
    fn new(snapshot: Snapshot) -> Self {
        Self { snapshot: RefCell::new(Some(snapshot)), order: None }
    }

    /// An object that is freed already, from which the class is taken.
    pub(super) fn freed() -> Self {
        Self { snapshot: RefCell::new(None), order: None }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Snapshot) -> Result<R>) -> Result<R> {
        f(self.snapshot.borrow_mut().as_mut().ok_or(Error::Freed { what: "state" })?)
    }
}

/// A state as an argument. The page keeps its own; the numbers are shared.
impl FromJs for Snapshot {
    const EXPECTED: &'static str = "a State of this engine that was not freed";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        let fork = fork_of(value).ok().and_then(|fork| JsState::try_from_js_value(fork).ok());
        fork.and_then(|fork| fork.snapshot.take()).ok_or_else(|| Misfit::of::<Self>(value))
    }
}

#[wasm_bindgen(js_class = State)]
impl JsState {
    /// Tokens read.
    #[wasm_bindgen(getter)]
    pub fn position(&self) -> Result<usize, JsValue> {
        Ok(self.with(|snapshot| Ok(snapshot.position()))?)
    }

    /// Every token that was read, oldest first.
    #[wasm_bindgen(getter)]
    pub fn tokens(&self) -> Result<Uint32Array, JsValue> {
        Ok(self.with(|snapshot| Ok(Uint32Array::from(&*snapshot.tokens)))?)
    }

    /// Names what the model began from before it read the tokens; undefined for zeros.
    #[wasm_bindgen(getter)]
    pub fn beginning(&self) -> Result<Option<String>, JsValue> {
        Ok(self.with(|snapshot| Ok(snapshot.beginning.map(|beginning| beginning.to_string())))?)
    }

    /// The order that a tuned state's numbers were taken in; undefined for a state that this engine saved.
    #[wasm_bindgen(getter, unchecked_return_type = "TunedOrder | undefined")]
    pub fn order(&self) -> Result<JsValue, JsValue> {
        self.with(|_| Ok(()))?;
        Ok(serde_wasm_bindgen::to_value(&self.order)?)
    }

    /// The conversation that the tokens are of, where it was set; else empty.
    #[wasm_bindgen(getter, unchecked_return_type = "ChatMessage[]")]
    pub fn messages(&self) -> Result<JsValue, JsValue> {
        let messages = self.with(|snapshot| Ok(snapshot.messages.clone()))?;
        Ok(serde_wasm_bindgen::to_value(&messages)?)
    }

    /// Sets the conversation that the tokens are of; the file holds it too.
    #[wasm_bindgen(setter)]
    pub fn set_messages(
        &self,
        #[wasm_bindgen(unchecked_param_type = "ChatMessage[]")] messages: JsValue,
    ) -> Result<(), JsValue> {
        let messages: Vec<ChatMessage> = argument("messages", &messages)?;
        Ok(self.with(|snapshot| {
            snapshot.messages = messages;
            Ok(())
        })?)
    }

    /// An independent copy. Both share their numbers.
    pub fn fork(&self) -> Result<JsState, JsValue> {
        Ok(Self { order: self.order, ..Self::new(self.with(|snapshot| Ok(snapshot.clone()))?) })
    }

    /// As a file. `f32` (the default) restores bit for bit, `f16` takes half the bytes.
    pub fn bytes(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "'f32' | 'f16'")] numbers: JsValue,
    ) -> Result<Uint8Array, JsValue> {
        let numbers = optional_argument("numbers", &numbers)?.unwrap_or(Numbers::F32);
        let bytes = self.with(|snapshot| snapshot.to_bytes(numbers))?;
        Ok(Uint8Array::from(bytes.as_slice()))
    }

    /// Gives its memory back. Every later call fails with `freed`.
    #[wasm_bindgen(skip_typescript)]
    pub fn release(&self) {
        self.snapshot.take();
    }
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// Names the model in states: equal for equal files, wherever they run.
    pub fn hash(&self) -> Result<String, JsValue> {
        Ok(self.model.with(|model| Ok(model.hash().to_string()))?)
    }

    /// The model's present state. It can be saved between two events of a generation too.
    #[wasm_bindgen(js_name = saveState, unchecked_return_type = "Promise<State>")]
    pub fn save_state(&self) -> Promise {
        settle(self.model.take_between_steps(), async |mut model| {
            let snapshot = model.save_state().await?;
            Ok(JsState::new(snapshot).into())
        })
    }

    /// Takes the model to a state.
    #[wasm_bindgen(js_name = restoreState, unchecked_return_type = "Promise<void>")]
    pub fn restore_state(&self, #[wasm_bindgen(unchecked_param_type = "State")] state: JsValue) -> Promise {
        let prepare = || Ok((argument::<Snapshot>("state", &state)?, self.model.take()?));
        settle(prepare(), async |(snapshot, mut model)| {
            model.restore_state(&snapshot).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Reads a state file, or a tuned state of another program, and refuses one of another model, or one that is not as it was saved.
    #[wasm_bindgen(js_name = readState)]
    pub fn read_state(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] bytes: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "ReadStateOptions")] options: JsValue,
    ) -> Result<JsState, JsValue> {
        let bytes: Uint8Array = argument("bytes", &bytes)?;
        let mut options = Options::of_call(&options)?;
        let name = options.take::<String>("name")?.unwrap_or_default();
        let order = options.take::<TunedOrder>("order")?;
        options.finish()?;
        let (snapshot, order) = self.model.with(|model| model.open_state(&bytes.to_vec(), &name, order))?;
        Ok(JsState { order, ..JsState::new(snapshot) })
    }

    /// Names what texts begin from that are read anew; undefined for zeros.
    #[wasm_bindgen(unchecked_return_type = "string | undefined")]
    pub fn beginning(&self) -> Result<Option<String>, JsValue> {
        Ok(self.model.with(|model| Ok(model.beginning().map(|beginning| beginning.to_string())))?)
    }

    /// Takes the model to a beginning that it was restored to before, or that was added as a checkpoint.
    #[wasm_bindgen(js_name = beginFrom, unchecked_return_type = "Promise<boolean>")]
    pub fn begin_from(&self, #[wasm_bindgen(unchecked_optional_param_type = "string")] beginning: JsValue) -> Promise {
        let prepare = || Ok((optional_argument::<BeginningHash>("beginning", &beginning)?, self.model.take()?));
        settle(prepare(), async |(beginning, mut model)| Ok(model.begin_from(beginning).await?.into()))
    }

    /// The ids that a prompt is read as, with the options `thinking` and `tools` of the generation.
    #[wasm_bindgen(js_name = promptTokens)]
    pub fn prompt_tokens(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Prompt")] prompt: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "Pick<GenerateOptions, 'thinking' | 'tools'>")] options: JsValue,
    ) -> Result<Uint32Array, JsValue> {
        let prompt: Prompt = argument("prompt", &prompt)?;
        let mut options = Options::of_call(&options)?;
        let chat = chat_options(&mut options)?;
        options.finish()?;
        let tokens = self.model.with(|model| prompt.tokens_with(model, &chat))?;
        Ok(Uint32Array::from(tokens.as_slice()))
    }

    /// The ids that every conversation begins with which goes on from these messages: what can be read ahead of it.
    #[wasm_bindgen(js_name = conversationTokens)]
    pub fn conversation_tokens(
        &self,
        #[wasm_bindgen(unchecked_param_type = "ChatMessage[]")] messages: JsValue,
    ) -> Result<Uint32Array, JsValue> {
        let messages: Vec<ChatMessage> = argument("messages", &messages)?;
        let tokens = self.model.with(|model| model.tokenizer()?.encode_start(&messages))?;
        Ok(Uint32Array::from(tokens.as_slice()))
    }

    /// How many of these tokens, without the last, a generation would not have to read.
    #[wasm_bindgen(js_name = knownTokens)]
    pub fn known_tokens(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint32Array")] tokens: JsValue,
    ) -> Result<usize, JsValue> {
        let Tokens(tokens) = argument("tokens", &tokens)?;
        Ok(self.model.with(|model| Ok(model.known_tokens(&tokens)))?)
    }

    /// How much memory checkpoints may take, and how often they are made while a prompt is read.
    #[wasm_bindgen(js_name = setCheckpoints)]
    pub fn set_checkpoints(
        &self,
        #[wasm_bindgen(unchecked_param_type = "CheckpointOptions")] options: JsValue,
    ) -> Result<(), JsValue> {
        let mut options = Options::of_call(&options)?;
        let memory_bytes = options.take::<Whole>("memoryBytes")?;
        let interval = options.take::<usize>("interval")?;
        options.finish()?;
        Ok(self.model.with_mut(|model: &mut Model| {
            let checkpoints = model.checkpoints();
            // A budget beyond the address space cannot be used up.
            let budget = memory_bytes.map(|Whole(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX));
            budget.into_iter().for_each(|bytes| checkpoints.set_budget(bytes));
            interval.into_iter().for_each(|tokens| checkpoints.set_interval(tokens));
            Ok(())
        })?)
    }

    /// Checkpoints that were made since the last call and are still kept, so that a page can store them.
    #[wasm_bindgen(js_name = newCheckpoints, unchecked_return_type = "CheckpointInfo[]")]
    pub fn new_checkpoints(&self) -> Result<JsValue, JsValue> {
        let new = self.model.with_mut(|model| Ok(model.checkpoints().take_new()))?;
        Ok(serde_wasm_bindgen::to_value(&new)?)
    }

    /// A checkpoint, or undefined where it is no longer kept.
    pub fn checkpoint(
        &self,
        #[wasm_bindgen(unchecked_param_type = "number")] id: JsValue,
    ) -> Result<Option<JsState>, JsValue> {
        let Whole(id) = argument("id", &id)?;
        let found = self.model.with_mut(|model| Ok(model.checkpoints().get(id).cloned()))?;
        Ok(found.map(JsState::new))
    }

    /// Adds a state to the checkpoints that prompts can begin from; the model stays where it is.
    #[wasm_bindgen(js_name = addCheckpoint)]
    pub fn add_checkpoint(
        &self,
        #[wasm_bindgen(unchecked_param_type = "State")] state: JsValue,
    ) -> Result<(), JsValue> {
        let snapshot: Snapshot = argument("state", &state)?;
        Ok(self.model.with_mut(|model| model.add_checkpoint(&snapshot))?)
    }
}
