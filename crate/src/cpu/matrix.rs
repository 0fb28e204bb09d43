//! Weights on the CPU: matrices stay as the file has them, vectors and taps are decoded once.

use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::model::Weight;
use crate::quant::{DType, decode_row};

/// A (rows, columns) matrix, row by row as blocks of `dtype`.
#[derive(Debug, Clone)]
pub struct Matrix {
    dtype: DType,
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
}

/// Bytes asked for at once while loading: small enough that a copy in flight does not matter, large enough for a disk.
const READ_BYTES: u64 = 16 << 20;

impl Matrix {
    /// Wraps blocks.
    ///
    /// # Panics
    /// Where `bytes` are not `rows` whole rows of `columns` values.
    pub fn new(dtype: DType, rows: usize, columns: usize, bytes: Vec<u8>) -> Self {
        let row_bytes = dtype.row_bytes(columns);
        assert_eq!(row_bytes.map(|b| b * rows), Some(bytes.len()), "{rows} rows of {columns} {dtype} values");
        Self { dtype, rows, columns, bytes }
    }

    /// Reads a weight from its file, calling `progress` with each number of bytes read.
    pub(super) async fn load(gguf: &Gguf, weight: &Weight, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let total = weight.tensor.bytes;
        let length = usize::try_from(total).ok();
        let mut bytes = Vec::new();
        // Not even an address for it on wasm32, or no memory: say so instead of aborting.
        if length.is_none_or(|n| bytes.try_reserve_exact(n).is_err()) {
            let what = format!("tensor {}", weight.tensor.name);
            return Err(Error::OutOfMemory { what, needed: total, available: None });
        }
        let mut offset = 0;
        while offset < total {
            let part = READ_BYTES.min(total - offset);
            bytes.extend_from_slice(&gguf.read(&weight.tensor, offset, part as usize).await?);
            offset += part;
            progress(part);
        }
        Ok(Self { dtype: weight.tensor.dtype, rows: weight.rows, columns: weight.columns, bytes })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes held.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Decodes row `row` into `out`, (columns).
    pub fn decode_row(&self, row: usize, out: &mut [f32]) {
        let row_bytes = self.bytes.len() / self.rows;
        decode_row(self.dtype, &self.bytes[row * row_bytes..(row + 1) * row_bytes], out);
    }

    /// Every value, (rows, columns).
    pub fn decode(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        for (row, out) in values.chunks_exact_mut(self.columns).enumerate() {
            self.decode_row(row, out);
        }
        values
    }
}
