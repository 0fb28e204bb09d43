//! The layout of weights on a GPU: rows as planes.
//!
//! A file's blocks are 18 to 210 bytes long, so most of them start in the middle of a word. On the device a row is a few
//! planes, one after another: a plane gathers one field of all of the row's blocks, in the order of the blocks, and is padded
//! with zeros to whole vectors of 16 bytes. Quants then come first and in whole vectors, and neighbouring invocations read
//! neighbouring ones. No bit changes: values stay exact.
//!
//! F32, F16 and BF16 have no fields: their row is one plane, padded with zeros to whole units. What a unit is, and how kernels
//! take values out of planes, say `gpu/shaders/units/*.wgsl`.

use std::borrow::Cow;
use std::ops::Range;

use super::{DType, UNIT_LEN};

/// Bytes of the vector that kernels read, `vec4<u32>`: planes, and therefore rows, are whole vectors.
pub const VECTOR_BYTES: usize = 16;

/// The planes of a row. Empty where there are no blocks.
fn planes(dtype: DType) -> &'static [Range<usize>] {
    dtype.row().quants.as_ref().map_or(&[], |quants| quants.planes)
}

/// Bytes that a field takes in its plane: a power of two, so that none lies across vectors that it does not fill. Only the 14
/// bytes of Q3_K need padding.
const fn slot(field_bytes: usize) -> usize {
    field_bytes.next_power_of_two()
}

/// Bytes of one row of `columns` values on the device, a multiple of [`VECTOR_BYTES`].
///
/// # Panics
/// Where `columns` is not a whole number of the file's blocks.
pub fn device_row_bytes(dtype: DType, columns: usize) -> usize {
    assert!(columns.is_multiple_of(dtype.block_len()), "a row of {columns} values is not whole {dtype} blocks");
    let blocks = columns / dtype.block_len();
    match planes(dtype) {
        [] => columns.next_multiple_of(UNIT_LEN) * dtype.block_bytes(),
        planes => planes.iter().map(|field| plane_bytes(blocks, field.len())).sum(),
    }
}

fn plane_bytes(blocks: usize, field_bytes: usize) -> usize {
    (blocks * slot(field_bytes)).next_multiple_of(VECTOR_BYTES)
}

/// Rows as they lie in a file, `(rows, columns)`, in the device's layout; borrowed where both are the same.
///
/// # Panics
/// Where `columns` is 0 or not whole blocks, or `rows_bytes` is not whole rows.
pub fn to_device_rows(dtype: DType, columns: usize, rows_bytes: &[u8]) -> Cow<'_, [u8]> {
    let device_row = device_row_bytes(dtype, columns);
    let row = columns / dtype.block_len() * dtype.block_bytes();
    assert!(row > 0 && rows_bytes.len().is_multiple_of(row), "{} bytes are not whole rows of {row}", rows_bytes.len());
    let planes = planes(dtype);
    if planes.is_empty() && device_row == row {
        return Cow::Borrowed(rows_bytes);
    }
    let mut device = vec![0; rows_bytes.len() / row * device_row];
    for (to, from) in device.chunks_exact_mut(device_row).zip(rows_bytes.chunks_exact(row)) {
        match planes {
            [] => to[..row].copy_from_slice(from),
            planes => to_planes(planes, dtype.block_bytes(), from, to),
        }
    }
    Cow::Owned(device)
}

fn to_planes(planes: &[Range<usize>], block_bytes: usize, row: &[u8], mut to: &mut [u8]) {
    for field in planes {
        let (plane, rest) = to.split_at_mut(plane_bytes(row.len() / block_bytes, field.len()));
        let gather = match field.len() {
            2 => gather::<2>,
            4 => gather::<4>,
            8 => gather::<8>,
            14 => gather::<14>,
            16 => gather::<16>,
            32 => gather::<32>,
            64 => gather::<64>,
            128 => gather::<128>,
            bytes => unreachable!("no type has a field of {bytes} bytes"),
        };
        gather(row, block_bytes, field.start, plane);
        to = rest;
    }
}

/// Copies `BYTES` bytes from `at` on of every block. Their number is a constant because a model has hundreds of millions of
/// blocks: a copy of known length is a few moves in place of a call.
fn gather<const BYTES: usize>(row: &[u8], block_bytes: usize, at: usize, plane: &mut [u8]) {
    for (to, block) in plane.chunks_exact_mut(slot(BYTES)).zip(row.chunks_exact(block_bytes)) {
        to[..BYTES].copy_from_slice(&block[at..at + BYTES]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 3;

    /// The least, and some that leave every plane's last vector unfilled.
    const BLOCKS: [usize; 5] = [1, 2, 3, 7, 13];

    #[test]
    fn the_fields_of_a_block_are_all_of_it_once() {
        for dtype in DType::all().filter(|dtype| dtype.block_len() > 1) {
            let mut fields = planes(dtype).to_vec();
            fields.sort_by_key(|field| field.start);
            let ends: Vec<_> = fields.iter().map(|field| field.end).collect();
            let starts: Vec<_> = fields.iter().map(|field| field.start).collect();
            assert_eq!(starts, [&[0], &ends[..ends.len() - 1]].concat(), "{dtype}");
            assert_eq!(ends.last(), Some(&dtype.block_bytes()), "{dtype}");
        }
    }

    /// Where each byte of a row goes, found by rows that are zero but for one byte: every byte of the file to a place of its
    /// own in its own row, and nothing but zeros elsewhere.
    #[test]
    fn rows_are_permuted_and_padded_with_zeros() {
        for dtype in DType::all() {
            for blocks in BLOCKS {
                let columns = blocks * dtype.block_len();
                let (row, device_row) = (blocks * dtype.block_bytes(), device_row_bytes(dtype, columns));
                let mut taken = vec![false; device_row];
                for at in 0..row {
                    let mut source = vec![0; ROWS * row];
                    source[row + at] = 0xa5;
                    let device = to_device_rows(dtype, columns, &source);
                    assert_eq!(device.len(), ROWS * device_row, "{dtype}");
                    let found: Vec<_> = (0..device.len()).filter(|&i| device[i] != 0).collect();
                    assert_eq!(found.len(), 1, "{dtype}, byte {at} went to {found:?}");
                    assert_eq!((found[0] / device_row, device[found[0]]), (1, 0xa5), "{dtype}, byte {at}");
                    let was_taken = std::mem::replace(&mut taken[found[0] % device_row], true);
                    assert!(!was_taken, "{dtype}, byte {at} is not alone");
                }
            }
        }
    }

    /// Small because every byte of padding is read from memory for every token.
    #[test]
    fn planes_are_whole_vectors_and_no_more() {
        for dtype in DType::all() {
            for blocks in BLOCKS {
                let device_row = device_row_bytes(dtype, blocks * dtype.block_len());
                assert!(device_row.is_multiple_of(VECTOR_BYTES), "{dtype}");
            }
            // Falcon-Mamba 7B: d_model, d_inner.
            for columns in [4096, 8192] {
                let row = columns / dtype.block_len() * dtype.block_bytes();
                let padding = if dtype == DType::Q3_K { 2 * columns / 256 } else { 0 };
                assert_eq!(device_row_bytes(dtype, columns), row + padding, "{dtype}");
            }
        }
    }

    #[test]
    fn planes_keep_the_order_of_blocks() {
        let block = |n: u8| [[0xd0 | n; 2].as_slice(), &[n; 16]].concat();
        let source = [block(1), block(2), block(3)].concat();
        let planes = [[1; 16], [2; 16], [3; 16]].concat();
        let scales = [[0xd1; 2], [0xd2; 2], [0xd3; 2]].concat();
        let expected = [planes, scales, vec![0; 10]].concat();
        assert_eq!(*to_device_rows(DType::Q4_0, 96, &source), expected);
    }

    #[test]
    fn whole_units_without_blocks_are_borrowed() {
        for (dtype, columns) in [(DType::F32, 32), (DType::F16, 64), (DType::BF16, 96)] {
            let source = vec![1; 2 * columns * dtype.block_bytes()];
            assert!(matches!(to_device_rows(dtype, columns, &source), Cow::Borrowed(bytes) if bytes == source));
        }
    }

    #[test]
    #[should_panic = "not whole Q4_K blocks"]
    fn a_row_that_ends_inside_a_block_is_refused() {
        device_row_bytes(DType::Q4_K, 128);
    }

    #[test]
    #[should_panic = "not whole rows"]
    fn a_part_of_a_row_is_refused() {
        to_device_rows(DType::Q8_0, 64, &[0; 67]);
    }
}
