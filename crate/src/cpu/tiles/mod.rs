//! Matrices in tiles of 16 rows: packed at load so that a lane of a vector is a row, whatever the vector's width.
//!
//! With rows in lanes, no product needs a sum across a vector, group scales are vectors too, and activations are broadcast.
//! What this costs is a few bytes: the 6-bit group scales of the K types take 8 (Q4_K 148 bytes in place of 144).

pub(in crate::cpu) mod format;
mod pack;

use super::matrix::WeightReader;
use super::simd::{Isa, Simd, SimdKernel};
use crate::error::{Error, Result};
use crate::quant::{DType, TileLayout, UNIT_LEN};
use format::{Format, with_format};

pub use crate::quant::TILE_ROWS as ROWS;

/// A (rows, columns) matrix in tiles. The last tile is filled up with rows of zero.
#[derive(Debug, Clone)]
pub struct Tiles {
    dtype: DType,
    rows: usize,
    columns: usize,
    tile_bytes: usize,
    bytes: Vec<u8>,
}

/// Bytes of one tile.
fn tile_bytes(dtype: DType, columns: usize) -> usize {
    match dtype.tile_layout() {
        Some(layout) => columns / dtype.block_len() * layout.block_bytes(),
        None => ROWS * columns * dtype.block_bytes(),
    }
}

impl Tiles {
    /// Packs rows of blocks, as a file has them.
    ///
    /// # Panics
    /// Where `bytes` are not `rows` whole rows of `columns` values.
    pub fn new(dtype: DType, rows: usize, columns: usize, bytes: &[u8]) -> Self {
        let row_bytes = dtype.row_bytes(columns);
        assert_eq!(row_bytes.map(|b| b * rows), Some(bytes.len()), "{rows} rows of {columns} {dtype} values");
        let mut tiles = Self::empty(dtype, rows, columns);
        tiles.bytes.reserve_exact(tiles.tile_bytes * tiles.tiles());
        let row_bytes = row_bytes.unwrap_or(0).max(1);
        bytes.chunks(ROWS * row_bytes).for_each(|rows| pack::tile(dtype, columns, rows, &mut tiles.bytes));
        tiles
    }

    fn empty(dtype: DType, rows: usize, columns: usize) -> Self {
        Self { dtype, rows, columns, tile_bytes: tile_bytes(dtype, columns), bytes: Vec::new() }
    }

    /// Reads a weight from its file and packs it as it comes, so that no more than a few tiles are held twice.
    pub(super) async fn load(mut reader: WeightReader<'_>) -> Result<Self> {
        let (dtype, rows, columns) = reader.shape();
        let mut tiles = Self::empty(dtype, rows, columns);
        let needed = tiles.tile_bytes.checked_mul(tiles.tiles());
        // Not even an address for it on wasm32, or no memory: say so instead of aborting.
        if needed.is_none_or(|needed| tiles.bytes.try_reserve_exact(needed).is_err()) {
            return Err(Error::OutOfMemory { what: reader.what(), needed: reader.bytes(), available: None });
        }
        let row_bytes = reader.row_bytes();
        while let Some(rows) = reader.next(ROWS).await? {
            rows.chunks(ROWS * row_bytes).for_each(|rows| pack::tile(dtype, columns, rows, &mut tiles.bytes));
        }
        Ok(tiles)
    }

    /// Type of the weights.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// Bytes held.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of tile `tile`.
    #[inline(always)]
    pub(super) fn tile(&self, tile: usize) -> &[u8] {
        &self.bytes[tile * self.tile_bytes..][..self.tile_bytes]
    }

    /// Decodes row `row` into `out`, (columns), bit for bit as `quant::decode_row` does.
    pub fn decode_row(&self, isa: Isa, row: usize, out: &mut [f32]) {
        let tile = self.tile(row / ROWS);
        let row = row % ROWS;
        with_format!(self.dtype, F => isa.run(DecodeRow::<F> { tile, row, out, format: std::marker::PhantomData }), {
            let bytes = self.dtype.block_bytes();
            let values = tile.chunks_exact(bytes).skip(row).step_by(ROWS);
            for (value, out) in values.zip(out) {
                crate::quant::decode_row(self.dtype, value, std::slice::from_mut(out));
            }
        });
    }
}

struct DecodeRow<'a, F> {
    tile: &'a [u8],
    row: usize,
    out: &'a mut [f32],
    format: std::marker::PhantomData<F>,
}

impl<F: Format> SimdKernel for DecodeRow<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let layout: TileLayout = F::LAYOUT;
        // The vector that the row is in, and its lane there.
        let (first, lane) = (self.row / S::LANES * S::LANES, self.row % S::LANES);
        let (mut bytes, mut lanes) = ([0u8; 64], [0f32; 16]);
        let mut out = self.out.chunks_exact_mut(UNIT_LEN);
        for block in self.tile.chunks_exact(layout.block_bytes()) {
            let header = format::header::<S, F>(s, block, first);
            for unit in block[layout.header_bytes()..].chunks_exact(layout.unit_bytes()) {
                let unit = format::unit::<S, F>(s, header, unit, first);
                let Some(out) = out.next() else { return };
                for (four, out) in out.chunks_exact_mut(4).enumerate() {
                    let group = if layout.groups == 2 { four / 4 } else { 0 };
                    s.store(unit.scales[group], &mut lanes);
                    let scale = lanes[lane];
                    s.store(unit.minimums[group], &mut lanes);
                    let minimum = if layout.minimum { lanes[lane] } else { 0.0 };
                    s.store_bytes(unit.quants[four], &mut bytes);
                    for (&quant, out) in bytes[4 * lane..].iter().zip(out) {
                        let quant = if F::BITS == 8 { i32::from(quant as i8) } else { i32::from(quant) };
                        *out = scale * (quant - layout.offset) as f32 - minimum;
                    }
                }
            }
        }
    }
}
