//! The JavaScript interface: this folder, and `browser.rs` for what the engine needs of one. TypeScript sees it as `TYPES` says.

mod arguments;
mod constraint;
mod exclusive;
mod fit;
mod generation;
mod load;
mod model;
mod report;
mod signal;
mod source;
mod states;
mod texts;
mod workers;

use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::*;

use crate::error::Error;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("web.d.ts");

#[wasm_bindgen(module = "/src/web.js")]
extern "C" {
    /// Resolves after the event loop has turned once.
    #[wasm_bindgen(js_name = nextTask)]
    fn next_task() -> Promise;

    /// Has the calls of a class refuse what is none of its objects, and stay defined after `free()`.
    #[wasm_bindgen(js_name = guardClass)]
    fn guard_class(name: &str, sample: JsValue, refusal: JsValue);
}

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
    crate::browser::ask_for_subgroups();
    let refusal =
        |expected| Error::InvalidArgument { argument: "this".into(), found: "another object".into(), expected };
    guard_class("Model", model::JsModel::freed().into(), to_js(refusal("a Model of this engine")));
    guard_class("State", states::JsState::freed().into(), to_js(refusal("a State of this engine")));
}

/// A JavaScript `Error` with `code`, `remedy` and what else a program may want to know beside its message.
fn to_js(error: Error) -> JsValue {
    let value = js_sys::Error::new(&error.to_string());
    // Setting a property of a fresh object cannot fail.
    let set = |name: &str, data: &str| drop(Reflect::set(&value, &name.into(), &data.into()));
    set("code", error.code());
    set("remedy", error.remedy());
    match &error {
        Error::InvalidOption { option, .. } => set("option", option),
        Error::UnknownOption { option, suggestion } => {
            set("option", option);
            suggestion.iter().for_each(|suggestion| set("suggestion", suggestion));
        }
        Error::InvalidArgument { argument, .. } => set("argument", argument),
        _ => {}
    }
    value.into()
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        to_js(error)
    }
}
