//! What a `Model` does with texts beside generation: tokens and templates as texts, scores, and embeddings.

use js_sys::{Array, Float32Array, Float64Array, Promise, Reflect, Uint32Array};
use wasm_bindgen::prelude::*;

use super::arguments::{FromJs, Misfit, Options, Tokens, argument, chat_options};
use super::model::{JsModel, settle};
use super::signal::Signal;
use crate::engine::{EmbedOptions, Model};
use crate::error::{Error, Result};
use crate::generate::Prompt;
use crate::tokenizer::{ChatMessage, ChatTemplate, Special};

/// What follows a prompt: a text, or token ids.
enum Continuation {
    Text(String),
    Tokens(Vec<u32>),
}

impl FromJs for Continuation {
    const EXPECTED: &'static str = "a text or a Uint32Array of token ids";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        match (value.as_string(), Tokens::from_js(value)) {
            (Some(text), _) => Ok(Self::Text(text)),
            (None, Ok(Tokens(ids))) => Ok(Self::Tokens(ids)),
            (None, Err(misfit)) if misfit.place.is_empty() => Err(Misfit::of::<Self>(value)),
            (None, Err(misfit)) => Err(misfit),
        }
    }
}

impl Continuation {
    fn tokens(self, model: &Model) -> Result<Vec<u32>> {
        match self {
            // In the middle of a text there is no BOS.
            Self::Text(text) => model.tokenizer()?.encode(&text, Special::Parse),
            Self::Tokens(ids) => Ok(ids),
        }
    }
}

fn score_of(tokens: &[u32], logprobs: &[f64]) -> JsValue {
    let score = js_sys::Object::new();
    // Setting a property of a fresh object cannot fail.
    let set = |name: &str, value: &JsValue| drop(Reflect::set(&score, &name.into(), value));
    set("logprob", &logprobs.iter().sum::<f64>().into());
    set("tokens", &Uint32Array::from(tokens));
    set("logprobs", &Float64Array::from(logprobs));
    score.into()
}

/// Whether a chat template of one's own can be used: throws where it does not compile. `loadModel` takes it as `chatTemplate`.
#[wasm_bindgen(js_name = checkChatTemplate)]
pub fn check_chat_template(#[wasm_bindgen(unchecked_param_type = "string")] template: JsValue) -> Result<(), JsValue> {
    let template: String = argument("template", &template)?;
    Ok(ChatTemplate::check(&template)?)
}

#[wasm_bindgen(js_class = Model)]
impl JsModel {
    /// The text of token ids; bytes that are no UTF-8 become U+FFFD. Control tokens have the text that `tokenize` knows them by.
    pub fn detokenize(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint32Array")] tokens: JsValue,
    ) -> Result<String, JsValue> {
        let Tokens(tokens) = argument("tokens", &tokens)?;
        Ok(self.model.with(|model| {
            let (tokenizer, vocab_size) = (model.tokenizer()?, model.info().vocab_size);
            match tokens.iter().find(|&&token| token as usize >= vocab_size) {
                Some(&token) => Err(Error::TokenRange { token, vocab_size }),
                None => Ok(tokenizer.decode(&tokens, false)),
            }
        })?)
    }

    /// The chat template of the file, or the one that was given in its place, or the name of its format; undefined where it has none.
    #[wasm_bindgen(js_name = chatTemplate)]
    pub fn chat_template(&self) -> Result<Option<String>, JsValue> {
        Ok(self.model.with(|model| Ok(model.tokenizer()?.chat_template()?.source().map(str::to_owned)))?)
    }

    /// A conversation as the text that `generate` reads. In a text alone, what a message says cannot be told from control tokens of the
    /// same text: conversations are better given to `generate` as they are.
    #[wasm_bindgen(js_name = applyChatTemplate)]
    pub fn apply_chat_template(
        &self,
        #[wasm_bindgen(unchecked_param_type = "ChatMessage[]")] messages: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "ChatTemplateOptions")] options: JsValue,
    ) -> Result<String, JsValue> {
        let messages: Vec<ChatMessage> = argument("messages", &messages)?;
        let mut options = Options::of_call(&options)?;
        let chat = chat_options(&mut options)?;
        let add_generation_prompt = options.take("addGenerationPrompt")?.unwrap_or(true);
        options.finish()?;
        Ok(self.model.with(|model| {
            let template = model.tokenizer()?.chat_template()?;
            match add_generation_prompt {
                true => template.render_prompt(&messages, &chat),
                false => template.render_with(&messages, false, &chat),
            }
        })?)
    }

    /// How likely a continuation is after a prompt. The model's state and its checkpoints stay as they are.
    #[wasm_bindgen(unchecked_return_type = "Promise<Score>")]
    pub fn score(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Prompt")] prompt: JsValue,
        #[wasm_bindgen(unchecked_param_type = "string | Uint32Array")] continuation: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "ScoreOptions")] options: JsValue,
    ) -> Promise {
        let prepare = || {
            let (prompt, continuation) =
                (argument::<Prompt>("prompt", &prompt)?, argument::<Continuation>("continuation", &continuation)?);
            let mut options = Options::of_call(&options)?;
            let chat = chat_options(&mut options)?;
            let signal = options.take::<Signal>("signal")?.unwrap_or_default();
            options.finish()?;
            let model = self.model.take()?;
            Ok((prompt.tokens_with(&model, &chat)?, continuation.tokens(&model)?, model, signal))
        };
        settle(prepare(), async |(prompt, tokens, mut model, mut signal)| {
            signal.check()?;
            let logprobs = model.score(&prompt, &tokens, &mut signal).await;
            Ok(score_of(&tokens, &logprobs.map_err(|error| signal.thrown(error))?))
        })
    }

    /// The perplexity of a text: `exp` of the negative mean of the log-probabilities of its tokens. The model's state and its checkpoints
    /// stay as they are.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn perplexity(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] text: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Promise {
        let prepare = || {
            let prompt = Prompt::Text(argument("text", &text)?);
            let mut options = Options::of_call(&options)?;
            let signal = options.take::<Signal>("signal")?.unwrap_or_default();
            options.finish()?;
            let model = self.model.take()?;
            Ok((prompt.tokens(&model)?, model, signal))
        };
        settle(prepare(), async |(tokens, mut model, mut signal)| {
            signal.check()?;
            let perplexity = model.perplexity(&tokens, &mut signal).await;
            Ok(perplexity.map_err(|error| signal.thrown(error))?.into())
        })
    }

    /// Texts as vectors of `dModel` numbers. The model's state and its checkpoints stay as they are.
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array[]>")]
    pub fn embed(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string[]")] texts: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "EmbedOptions")] options: JsValue,
    ) -> Promise {
        let prepare = || {
            let texts: Vec<String> = argument("texts", &texts)?;
            let mut options = Options::of_call(&options)?;
            let defaults = EmbedOptions::default();
            let embed = EmbedOptions {
                pooling: options.take("pooling")?.unwrap_or(defaults.pooling),
                normalize: options.take("normalize")?.unwrap_or(defaults.normalize),
            };
            let signal = options.take::<Signal>("signal")?.unwrap_or_default();
            options.finish()?;
            let model = self.model.take()?;
            let tokens = texts.into_iter().map(|text| Prompt::Text(text).tokens(&model)).collect::<Result<Vec<_>>>()?;
            Ok((tokens, embed, model, signal))
        };
        settle(prepare(), async |(tokens, embed, mut model, mut signal)| {
            signal.check()?;
            let vectors = model.embed(&tokens, embed, &mut signal).await.map_err(|error| signal.thrown(error))?;
            Ok(vectors.iter().map(|vector| Float32Array::from(vector.as_slice())).collect::<Array>().into())
        })
    }
}
