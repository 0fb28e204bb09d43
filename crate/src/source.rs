//! Where a model's bytes come from: anything that reads ranges. A file of 4 GB is never held in memory.

use std::ops::Range;

use futures_util::future::LocalBoxFuture;

use crate::error::{Error, Result};

/// Random access to the bytes of one file. Reading is asynchronous because a browser's stores are.
pub trait ByteSource {
    /// What is read, for error messages: a path or a URL.
    fn name(&self) -> &str;

    /// Length of the file in bytes.
    fn len(&self) -> u64;

    /// True for a file of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads exactly `length` bytes from byte `offset`.
    ///
    /// # Errors
    /// [`Error::Read`] where the range is not inside the file or the read fails.
    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>>;

    /// Reads bytes `columns` of each of `rows` neighbouring rows, of which the first is at byte `offset` and each is `stride` bytes
    /// long: `rows * columns.len()` bytes. A source that is far away sends no others.
    ///
    /// # Errors
    /// As of [`ByteSource::read`].
    fn read_columns(
        &self,
        offset: u64,
        stride: usize,
        rows: usize,
        columns: Range<usize>,
    ) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move { Ok(cut(self.read(offset, stride * rows).await?, stride, columns)) })
    }
}

/// Bytes `columns` of rows that are `stride` bytes long each.
pub(crate) fn cut(mut bytes: Vec<u8>, stride: usize, columns: Range<usize>) -> Vec<u8> {
    if columns == (0..stride) {
        return bytes;
    }
    let rows = bytes.len() / stride.max(1);
    for row in 0..rows {
        let start = row * stride;
        bytes.copy_within(start + columns.start..start + columns.end, row * columns.len());
    }
    bytes.truncate(rows * columns.len());
    bytes
}

fn out_of_range(name: &str, len: u64, offset: u64, length: usize) -> Option<Error> {
    let inside = offset.checked_add(length as u64).is_some_and(|end| end <= len);
    (!inside).then(|| Error::Read {
        what: name.into(),
        offset,
        length: length as u64,
        problem: format!("the file has only {len} bytes"),
    })
}

/// A file held in memory, for tests and for small models.
pub struct MemorySource {
    name: String,
    bytes: Vec<u8>,
}

impl MemorySource {
    /// Wraps bytes; `name` appears in error messages.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes }
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        let result = match out_of_range(&self.name, self.len(), offset, length) {
            Some(error) => Err(error),
            None => Ok(self.bytes[offset as usize..offset as usize + length].to_vec()),
        };
        Box::pin(std::future::ready(result))
    }
}

/// A file on disk (native only).
#[cfg(not(target_arch = "wasm32"))]
pub struct FileSource {
    name: String,
    file: std::sync::Arc<std::sync::Mutex<std::fs::File>>,
    len: u64,
}

/// A read of at least this many bytes runs on a thread, so that its caller can work meanwhile.
#[cfg(not(target_arch = "wasm32"))]
const READ_ON_THREAD: usize = 1 << 20;

#[cfg(not(target_arch = "wasm32"))]
impl FileSource {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Error::Read`] where it cannot be opened.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let name = path.display().to_string();
        let failed = |problem: std::io::Error| Error::Read {
            what: name.clone(),
            offset: 0,
            length: 0,
            problem: problem.to_string(),
        };
        let file = std::fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(std::io::Error::other("it is not a regular file")));
        }
        Ok(Self { len: metadata.len(), file: std::sync::Arc::new(file.into()), name })
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn read_now(file: &std::sync::Mutex<std::fs::File>, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(not(target_arch = "wasm32"))]
impl ByteSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        if let Some(error) = out_of_range(&self.name, self.len, offset, length) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (sender, receiver) = futures_channel::oneshot::channel();
        let file = self.file.clone();
        // A load that no longer waits has dropped the receiver.
        let read = move || _ = sender.send(read_now(&file, offset, length));
        if length < READ_ON_THREAD {
            read()
        } else {
            drop(std::thread::spawn(read))
        }
        Box::pin(async move {
            let read =
                receiver.await.unwrap_or_else(|_| Err(std::io::Error::other("the thread that read it panicked")));
            read.map_err(|problem| Error::Read {
                what: self.name.clone(),
                offset,
                length: length as u64,
                problem: problem.to_string(),
            })
        })
    }
}
