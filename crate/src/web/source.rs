//! A page's `ByteSource`, as the engine reads it.

use std::ops::Range;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::JsByteSource;
use crate::error::{Error, Result};
use crate::source::{ByteSource, cut};

/// The sources of a call, in the form that the engine takes.
pub fn to_sources(sources: Vec<JsByteSource>) -> Vec<Rc<dyn ByteSource>> {
    sources.into_iter().map(|source| Rc::new(JsSource::new(source)) as Rc<dyn ByteSource>).collect()
}

struct JsSource {
    name: String,
    length: u64,
    source: JsByteSource,
}

impl JsSource {
    fn new(source: JsByteSource) -> Self {
        Self { name: source.name().unwrap_or_else(|| "model".into()), length: source.length() as u64, source }
    }

    fn fault(&self, offset: u64, length: usize, problem: String) -> Error {
        Error::Read { what: self.name.clone(), offset, length: length as u64, problem }
    }

    async fn take(&self, promise: Result<Promise, JsValue>, length: usize) -> Result<Vec<u8>, String> {
        let bytes = JsFuture::from(promise.map_err(describe)?).await.map_err(describe)?;
        let bytes: Uint8Array = bytes.dyn_into().map_err(|_| "read did not give a Uint8Array".to_string())?;
        if bytes.length() as usize != length {
            return Err(format!("read gave {} bytes", bytes.length()));
        }
        Ok(bytes.to_vec())
    }
}

impl ByteSource for JsSource {
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
            if columns == (0..stride) || self.source.knows_columns().is_undefined() {
                return Ok(cut(self.read(offset, stride * rows).await?, stride, columns));
            }
            let (start, width) = (columns.start as f64, columns.len() as f64);
            let bytes = self.source.read_columns(offset as f64, stride as f64, rows as f64, start, width);
            let length = rows * columns.len();
            self.take(bytes, length).await.map_err(|problem| self.fault(offset, length, problem))
        })
    }
}

/// What a thrown value says, for [`Error::Read`].
pub(super) fn describe(thrown: JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{thrown:?}"),
    }
}
