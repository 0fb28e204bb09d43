//! A page's `ByteSource`, as the engine reads it.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_time::{Duration, Instant};

use super::arguments::{FromJs, Misfit, Whole, described, is_array, is_bytes, items, message_of, property};
use super::next_task;
use crate::error::{Error, Result};
use crate::source::{ByteSource, cut};

#[wasm_bindgen]
extern "C" {
    /// A `ByteSource` that was checked.
    #[derive(Debug, Clone)]
    pub type JsByteSource;
    #[wasm_bindgen(method, catch)]
    fn read(this: &JsByteSource, offset: f64, length: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = readColumns)]
    fn read_columns(
        this: &JsByteSource,
        offset: f64,
        stride: f64,
        rows: f64,
        start: f64,
        width: f64,
    ) -> Result<JsValue, JsValue>;
}

/// The longest time without a turn of the event loop: sources whose bytes are there at once would block it for a whole load.
const LONGEST_TURN: Duration = Duration::from_millis(10);

thread_local! {
    static LAST_TURN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets the event loop turn where it has not for [`LONGEST_TURN`].
async fn take_turns() {
    let now = Instant::now();
    match LAST_TURN.get() {
        Some(last) if now - last < LONGEST_TURN => return,
        Some(_) => drop(JsFuture::from(next_task()).await),
        None => {}
    }
    LAST_TURN.set(Some(Instant::now()));
}

/// A page's source, checked but for the bytes that it gives.
#[derive(Debug, Clone)]
pub struct PageSource {
    name: String,
    length: u64,
    has_columns: bool,
    pub source: JsByteSource,
}

impl FromJs for PageSource {
    const EXPECTED: &'static str = "a source: an object with length and read(offset, length)";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if !value.is_object() || is_array(value) {
            return Err(Misfit::of::<Self>(value));
        }
        let within = |name: &'static str| move |misfit: Misfit| misfit.within(&format!(".{name}"));
        let absent = |name, expected| Misfit { place: format!(".{name}"), found: "absent".into(), expected };
        let length = property::<Whole>(value, "length").map_err(within("length"))?;
        let Whole(length) = length.ok_or_else(|| absent("length", Whole::EXPECTED))?;
        let read = property::<Function>(value, "read").map_err(within("read"))?;
        read.ok_or_else(|| absent("read", Function::EXPECTED))?;
        let columns = property::<Function>(value, "readColumns").map_err(within("readColumns"))?;
        let name = property::<String>(value, "name").map_err(within("name"))?;
        let name = name.unwrap_or_else(|| "model".into());
        Ok(Self { name, length, has_columns: columns.is_some(), source: value.clone().unchecked_into() })
    }
}

impl FromJs for Vec<PageSource> {
    const EXPECTED: &'static str = "an array of sources, [source] for a single one";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        items(value, Self::EXPECTED)
    }
}

impl PageSource {
    /// One that reads in this one's place, columns too.
    pub fn replaced_by(self, replace: impl FnOnce(&JsByteSource, &str, f64) -> JsByteSource) -> Self {
        let source = replace(&self.source, &self.name, self.length as f64);
        Self { source, has_columns: true, ..self }
    }

    fn fault(&self, offset: u64, length: usize, problem: String) -> Error {
        Error::Read { what: self.name.clone(), offset, length: length as u64, problem }
    }

    /// Bytes, or a promise of them.
    async fn take(&self, read: Result<JsValue, JsValue>, length: usize) -> Result<Vec<u8>, String> {
        let read = read.map_err(|thrown| message_of(&thrown))?;
        let bytes = JsFuture::from(Promise::resolve(&read)).await.map_err(|thrown| message_of(&thrown))?;
        take_turns().await;
        if !is_bytes(&bytes) {
            return Err(format!("read gave {} and no Uint8Array", described(&bytes)));
        }
        let bytes: Uint8Array = bytes.unchecked_into();
        if bytes.length() as usize != length {
            return Err(format!("read gave {} bytes", bytes.length()));
        }
        Ok(bytes.to_vec())
    }
}

impl ByteSource for PageSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let bytes = self.take(self.source.read(offset as f64, length as f64), length).await;
            bytes.map_err(|problem| self.fault(offset, length, problem))
        })
    }

    fn read_columns(
        &self,
        offset: u64,
        stride: usize,
        rows: usize,
        columns: Range<usize>,
    ) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            if columns == (0..stride) || !self.has_columns {
                return Ok(cut(self.read(offset, stride * rows).await?, stride, columns));
            }
            let (start, width) = (columns.start as f64, columns.len() as f64);
            let bytes = self.source.read_columns(offset as f64, stride as f64, rows as f64, start, width);
            let length = rows * columns.len();
            self.take(bytes, length).await.map_err(|problem| self.fault(offset, length, problem))
        })
    }
}

/// Sources in the form that the engine takes.
pub fn byte_sources(sources: Vec<PageSource>) -> Vec<Rc<dyn ByteSource>> {
    sources.into_iter().map(|source| Rc::new(source) as Rc<dyn ByteSource>).collect()
}
