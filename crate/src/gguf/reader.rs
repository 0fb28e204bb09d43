//! A little-endian cursor over a [`ByteSource`]. It holds one window of the file, never the file: a window is dropped
//! once it has been read, and the next one is fetched only when a field needs it.
//!
//! Nothing here takes memory on the word of the file. A length is held against its limit and against the bytes that
//! remain before anything is fetched.

use std::fmt;

use crate::error::{Error, Place, Result};
use crate::source::ByteSource;

/// The first window. Small, so that a file which is not GGUF costs one short read.
const FIRST_WINDOW: usize = 64 << 10;

/// Windows double up to this size: large enough that the header of a 65,000-token model (about 4 MB) takes few
/// requests, small enough that the bytes fetched past the header do not matter.
const LARGEST_WINDOW: usize = 1 << 20;

/// Metadata and tensor index together. The largest vocabularies in use (262,144 tokens with merges) need about 16 MB.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// Names the field that is being read. It is turned into text only when an error needs it, which keeps the two
/// hundred thousand reads of a vocabulary free of allocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// A metadata key, a tensor's name, or a header field.
    pub name: &'a str,
    /// Which element of it.
    pub index: Option<u64>,
    /// Which property of it, such as `type`; empty for the value itself.
    pub part: &'static str,
}

impl<'a> Field<'a> {
    /// The field itself.
    pub fn of(name: &'a str) -> Self {
        Self { name, index: None, part: "" }
    }

    /// The same field's element `index`.
    pub fn at(self, index: u64) -> Self {
        Self { index: Some(index), ..self }
    }

    /// The same field's property `part`.
    pub fn part(self, part: &'static str) -> Self {
        Self { part, ..self }
    }

    /// Where it is, for an error.
    pub fn place(self, offset: u64) -> Place {
        Place::new(self.to_string(), offset)
    }

    /// The error for a value that breaks the format.
    pub fn malformed(self, offset: u64, problem: impl Into<String>) -> Error {
        Error::Malformed { place: self.place(offset), problem: problem.into() }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        if !self.part.is_empty() {
            write!(f, " {}", self.part)?;
        }
        Ok(())
    }
}

/// The cursor. Reads wait for the source only where the window has run out.
pub(super) struct Reader<'s> {
    source: &'s dyn ByteSource,
    window: Vec<u8>,
    /// Bytes of the window that have been read.
    consumed: usize,
    /// Offset in the file of the window's end.
    window_end: u64,
    next_window: usize,
}

impl<'s> Reader<'s> {
    /// Starts at the first byte.
    pub fn new(source: &'s dyn ByteSource) -> Self {
        Self { source, window: Vec::new(), consumed: 0, window_end: 0, next_window: FIRST_WINDOW }
    }

    /// Offset in the file of the next byte to read.
    pub fn position(&self) -> u64 {
        self.window_end - self.unread() as u64
    }

    /// Bytes of the file from the position to its end.
    pub fn remaining(&self) -> u64 {
        self.source.len().saturating_sub(self.position())
    }

    /// Refuses a count above `limit`, and one whose elements, of `min_bytes` each at least, the rest of the file
    /// cannot hold. `place` is where the count stands.
    pub fn check_count(&self, place: impl FnOnce() -> Place, count: u64, min_bytes: u64, limit: u64) -> Result<()> {
        if count > limit {
            return Err(Error::TooLarge { place: place(), count, limit });
        }
        let needed = count.saturating_mul(min_bytes);
        let available = self.remaining();
        if needed > available {
            return Err(Error::Truncated { place: place(), needed, available });
        }
        Ok(())
    }

    /// The next `length` bytes.
    pub async fn take(&mut self, length: usize, field: Field<'_>) -> Result<&[u8]> {
        let (at, available) = (self.position(), self.remaining());
        if length as u64 > available {
            return Err(Error::Truncated { place: field.place(at), needed: length as u64, available });
        }
        let end = at.saturating_add(length as u64);
        if end > MAX_HEADER_BYTES {
            return Err(Error::TooLarge { place: field.part("end").place(at), count: end, limit: MAX_HEADER_BYTES });
        }
        if self.unread() < length {
            self.refill(length).await?;
        }
        let start = self.consumed;
        self.consumed += length;
        Ok(&self.window[start..self.consumed])
    }

    /// The next `N` bytes, for the `from_le_bytes` of a number.
    pub async fn bytes<const N: usize>(&mut self, field: Field<'_>) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N, field).await?);
        Ok(bytes)
    }

    /// The next `uint32`.
    pub async fn u32(&mut self, field: Field<'_>) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(field).await?))
    }

    /// The next `uint64`.
    pub async fn u64(&mut self, field: Field<'_>) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(field).await?))
    }

    /// The next string: a `uint64` length of `limit` bytes at most, then that many bytes of UTF-8.
    pub async fn string(&mut self, limit: u64, field: Field<'_>) -> Result<String> {
        let at = self.position();
        let length_field = if field.part.is_empty() { field.part("length") } else { field };
        let length = self.u64(length_field).await?;
        self.check_count(|| length_field.place(at), length, 1, limit)?;
        let bytes = self.take(length as usize, field).await?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(field.malformed(at, format!("byte {} of the text is not UTF-8", error.valid_up_to()))),
        }
    }

    fn unread(&self) -> usize {
        self.window.len() - self.consumed
    }

    /// Drops what has been read and fetches the next window, so that at least `length` bytes are there to read. The
    /// caller has checked that the file has them.
    async fn refill(&mut self, length: usize) -> Result<()> {
        self.window.drain(..self.consumed);
        self.consumed = 0;
        let wanted = self.next_window.max(length - self.window.len());
        let left = self.source.len().saturating_sub(self.window_end);
        let fetched = usize::try_from(left).map_or(wanted, |left| wanted.min(left));
        self.window.append(&mut read_exactly(self.source, self.window_end, fetched).await?);
        self.window_end += fetched as u64;
        self.next_window = (self.next_window * 2).min(LARGEST_WINDOW);
        Ok(())
    }
}

/// Reads a range and makes sure that the source kept its promise about the length, on which all slicing relies.
pub(super) async fn read_exactly(source: &dyn ByteSource, offset: u64, length: usize) -> Result<Vec<u8>> {
    exactly(source, offset, length, source.read(offset, length).await?)
}

/// The bytes of a read, if they have the requested length.
pub(super) fn exactly(source: &dyn ByteSource, offset: u64, length: usize, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.len() == length {
        return Ok(bytes);
    }
    Err(Error::Read {
        what: source.name().into(),
        offset,
        length: length as u64,
        problem: format!("{} bytes came back", bytes.len()),
    })
}
