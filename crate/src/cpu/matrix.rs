//! Weights on the CPU: matrices stay as the file has them, vectors and taps are decoded once.

use std::collections::VecDeque;
use std::ops::Range;

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
const READ_BYTES: usize = 16 << 20;

/// Reads a weight from its file, some rows at a time; of a sliced weight, only the slice.
pub(super) struct WeightReader<'a> {
    gguf: &'a Gguf,
    weight: &'a Weight,
    /// Called with each number of bytes read.
    progress: &'a mut dyn FnMut(u64),
    /// What is left of the tensor's rows.
    left: VecDeque<Range<usize>>,
    rows: Vec<u8>,
}

impl<'a> WeightReader<'a> {
    pub fn new(gguf: &'a Gguf, weight: &'a Weight, progress: &'a mut dyn FnMut(u64)) -> Self {
        let left = match &weight.slice {
            Some(slice) => slice.rows.clone().into(),
            None => std::iter::once(0..weight.rows).collect(),
        };
        Self { gguf, weight, progress, left, rows: Vec::new() }
    }

    /// Type, rows and columns.
    pub fn shape(&self) -> (DType, usize, usize) {
        (self.weight.tensor.dtype, self.weight.rows, self.weight.columns)
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.weight.bytes()
    }

    pub fn row_bytes(&self) -> usize {
        (self.bytes() / self.weight.rows as u64) as usize
    }

    /// Bytes from one row of the tensor to the next.
    fn stride(&self) -> usize {
        (self.weight.tensor.bytes / self.weight.tensor.rows().max(1)) as usize
    }

    /// What is read, for error messages.
    pub fn what(&self) -> String {
        format!("tensor {}", self.weight.tensor.name)
    }

    /// The next rows: a multiple of `multiple`, or all that are left.
    pub async fn next(&mut self, multiple: usize) -> Result<Option<&[u8]>> {
        let mut wanted = (READ_BYTES / self.stride().max(1)).max(1).next_multiple_of(multiple);
        self.rows.clear();
        while wanted > 0 {
            let Some(range) = self.left.front_mut() else { break };
            let start = range.start;
            range.start = range.end.min(start + wanted);
            let rows = start..range.start;
            if range.start == range.end {
                self.left.pop_front();
            }
            wanted -= rows.len();
            self.read(rows).await?;
        }
        Ok((!self.rows.is_empty()).then_some(&self.rows))
    }

    /// Appends the wanted columns of some rows.
    async fn read(&mut self, rows: Range<usize>) -> Result<()> {
        let Weight { tensor, slice, .. } = self.weight;
        let columns = slice.as_ref().map_or(0..self.weight.columns, |slice| slice.columns.clone());
        let bytes = |columns| tensor.dtype.row_bytes(columns).unwrap_or(0);
        let (start, length) = (bytes(columns.start), bytes(columns.len()));
        let read = self.gguf.read_columns(tensor, self.stride(), rows, start..start + length).await?;
        tensor.check_finite(&read)?;
        (self.progress)(read.len() as u64);
        if self.rows.is_empty() {
            self.rows = read;
        } else {
            self.rows.extend_from_slice(&read);
        }
        Ok(())
    }
}

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

    /// Reads a weight from its file.
    pub(super) async fn load(mut reader: WeightReader<'_>) -> Result<Self> {
        let (dtype, rows, columns) = reader.shape();
        let mut bytes = Vec::new();
        // Not even an address for it on wasm32, or no memory: say so instead of aborting.
        if usize::try_from(reader.bytes()).ok().is_none_or(|n| bytes.try_reserve_exact(n).is_err()) {
            return Err(Error::OutOfMemory { what: reader.what(), needed: reader.bytes(), available: None });
        }
        while let Some(rows) = reader.next(1).await? {
            bytes.extend_from_slice(rows);
        }
        Ok(Self { dtype, rows, columns, bytes })
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
