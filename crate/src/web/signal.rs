//! An `AbortSignal`, by which a page ends a call.

use std::pin::pin;

use futures_util::future::{Either, LocalBoxFuture, select};
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::arguments::{FromJs, Misfit};
use super::{next_task, to_js};
use crate::error::{Error, Result};
use crate::pause::Pause;

#[wasm_bindgen]
extern "C" {
    #[derive(Debug, Clone)]
    type AbortSignal;
    #[wasm_bindgen(method, getter)]
    fn aborted(this: &AbortSignal) -> bool;
}

#[wasm_bindgen(module = "/src/web/values.js")]
extern "C" {
    #[wasm_bindgen(js_name = isSignal)]
    fn is_signal(value: &JsValue) -> bool;
}

#[wasm_bindgen(module = "/src/web/signal.js")]
extern "C" {
    type Abortion;
    #[wasm_bindgen(constructor)]
    fn new(signal: &AbortSignal) -> Abortion;
    #[wasm_bindgen(method, getter)]
    fn promise(this: &Abortion) -> Promise;
    #[wasm_bindgen(method)]
    fn end(this: &Abortion);

    #[wasm_bindgen(js_name = reasonOf)]
    fn reason_of(signal: &AbortSignal) -> JsValue;
}

/// The option `signal` of a call.
#[derive(Debug, Clone, Default)]
pub struct Signal(Option<AbortSignal>);

impl FromJs for Signal {
    const EXPECTED: &'static str = "an AbortSignal";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        match is_signal(value) {
            true => Ok(Self(Some(value.clone().unchecked_into()))),
            false => Err(Misfit::of::<Self>(value)),
        }
    }
}

/// Listens as long as it lives.
struct Listening(Abortion);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Signal {
    /// The signal itself, or undefined.
    pub fn as_js(&self) -> JsValue {
        self.0.as_ref().map_or(JsValue::UNDEFINED, |signal| signal.into())
    }

    /// # Errors
    /// The signal's reason, once it has aborted.
    pub fn check(&self) -> Result<(), JsValue> {
        match &self.0 {
            Some(signal) if signal.aborted() => Err(reason_of(signal)),
            _ => Ok(()),
        }
    }

    /// An error as the page gets it: the signal's reason where the signal ended the call.
    pub fn thrown(&self, error: Error) -> JsValue {
        match (error, &self.0) {
            (Error::Cancelled, Some(signal)) => reason_of(signal),
            (error, _) => to_js(error),
        }
    }

    /// Runs work until it ends or the signal aborts, and drops it then. For work that may be dropped half way.
    ///
    /// # Errors
    /// The signal's reason, or the work's own error.
    pub async fn ends<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T, JsValue> {
        let Some(signal) = &self.0 else { return work.await.map_err(to_js) };
        self.check()?;
        let listening = Listening(Abortion::new(signal));
        let aborted = JsFuture::from(listening.0.promise());
        match select(aborted, pin!(work)).await {
            Either::Left(_) => Err(reason_of(signal)),
            Either::Right((done, _)) => done.map_err(to_js),
        }
    }
}

/// Work that must not be dropped checks its signal between two steps, after a turn of the event loop, in which it can abort.
impl Pause for Signal {
    fn pause(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let Some(signal) = &self.0 else { return Ok(()) };
            // It resolves always.
            drop(JsFuture::from(next_task()).await);
            if signal.aborted() { Err(Error::Cancelled) } else { Ok(()) }
        })
    }
}
