//! A source that counts its reads, and that may claim any length.

use std::cell::Cell;

use futures_util::future::{LocalBoxFuture, ready};
use web_mamba::source::ByteSource;
use web_mamba::{Error, Result};

/// Bytes, followed by zeros up to the claimed length.
pub struct CountingSource {
    bytes: Vec<u8>,
    len: u64,
    /// Bytes asked for so far.
    pub requested: Cell<u64>,
    /// Reads so far.
    pub reads: Cell<u64>,
}

impl CountingSource {
    /// A file of just these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self::with_zeros(bytes, len)
    }

    /// A file of `len` bytes that starts with these.
    pub fn with_zeros(bytes: Vec<u8>, len: u64) -> Self {
        Self { bytes, len, requested: Cell::new(0), reads: Cell::new(0) }
    }
}

impl ByteSource for CountingSource {
    fn name(&self) -> &str {
        "test.gguf"
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        self.requested.set(self.requested.get() + length as u64);
        self.reads.set(self.reads.get() + 1);
        if offset.checked_add(length as u64).is_none_or(|end| end > self.len) {
            let what = self.name().to_owned();
            let problem = "outside the file".to_owned();
            return Box::pin(ready(Err(Error::Read { what, offset, length: length as u64, problem })));
        }
        let there = self.bytes.get(offset as usize..).unwrap_or_default();
        let mut out = there[..there.len().min(length)].to_vec();
        out.resize(length, 0);
        Box::pin(ready(Ok(out)))
    }
}
