//! A row of activations of matrix products, as `shaders/acts` lays it out on the device.

use crate::executor::Activations;
use crate::gpu::kernels::{RUN_LEN, runs};
use crate::quant::VECTOR_BYTES;

/// Words of a vector.
const VECTOR_WORDS: usize = VECTOR_BYTES / 4;

/// Words of a row of `width` columns: its runs, in 8 bits a scale and a sum a run, and the sums of squares.
pub fn row_words(activations: Activations, width: usize) -> usize {
    let runs = runs(width);
    let vectors = match activations {
        Activations::F32 => RUN_LEN / VECTOR_WORDS * runs,
        Activations::Q8 => runs + runs / 2,
    };
    VECTOR_WORDS * (vectors + runs.div_ceil(VECTOR_WORDS))
}

/// A row as f32.
pub fn decode_row(activations: Activations, row: &[f32], width: usize) -> Vec<f32> {
    match activations {
        Activations::F32 => row[..width].to_vec(),
        Activations::Q8 => {
            let bytes: &[i8] = bytemuck::cast_slice(row);
            let scales = &row[runs(width) * RUN_LEN / 4..];
            (0..width).map(|c| f32::from(bytes[c]) * scales[2 * (c / RUN_LEN)]).collect()
        }
    }
}

/// How far rounding to 8 bits alone may move each value of a row: half a quant of its run, and a thousandth more for the arithmetic.
pub fn rounding(row: &[f32]) -> impl Iterator<Item = f32> {
    row.chunks(RUN_LEN).flat_map(|run| {
        let half = run.iter().fold(0.0, |highest: f32, value| highest.max(value.abs())) / 254.0;
        std::iter::repeat_n(1.001 * half, run.len())
    })
}
