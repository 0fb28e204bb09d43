//! The layout of weights on a GPU: a file's blocks, each padded so that it starts at a 32-bit word.
//!
//! WGSL reads storage as `array<u32>`. Blocks of 18, 22, 34, 110 or 210 bytes get two zero bytes at their end; all other
//! quantised blocks are whole words already. F32, F16 and BF16 count as blocks of 4 values, the unit that `decode4` in
//! `gpu/shaders/decode/` yields, and each row is padded with zeros to whole blocks.

use super::DType;
use std::borrow::Cow;

/// Bytes of the word that every device block is a multiple of.
const WORD: usize = size_of::<u32>();

/// Values that one `decode4` yields: the block length of the types that have no blocks.
const PLAIN_BLOCK: usize = 4;

/// Number of values in one block on the device: `BLOCK_LEN` of the type's WGSL file.
pub fn device_block_len(dtype: DType) -> usize {
    dtype.block_len().max(PLAIN_BLOCK)
}

/// Bytes of one block on the device, a multiple of 4: `BLOCK_WORDS * 4` of the type's WGSL file.
pub fn device_block_bytes(dtype: DType) -> usize {
    let values = device_block_len(dtype) / dtype.block_len();
    (values * dtype.block_bytes()).next_multiple_of(WORD)
}

/// Bytes of one row of `columns` values on the device, a multiple of 4.
///
/// # Panics
/// Where `columns` is not a whole number of the file's blocks.
pub fn device_row_bytes(dtype: DType, columns: usize) -> usize {
    assert!(columns.is_multiple_of(dtype.block_len()), "a row of {columns} values is not whole {dtype} blocks");
    columns.div_ceil(device_block_len(dtype)) * device_block_bytes(dtype)
}

/// Rows as they lie in a file, `(rows, columns)`, in the device's layout; borrowed where both are the same.
///
/// # Panics
/// Where `columns` is 0 or not whole blocks, or `rows_bytes` is not whole rows.
pub fn to_device_rows(dtype: DType, columns: usize, rows_bytes: &[u8]) -> Cow<'_, [u8]> {
    let device_row = device_row_bytes(dtype, columns);
    let row = columns / dtype.block_len() * dtype.block_bytes();
    assert!(row > 0 && rows_bytes.len().is_multiple_of(row), "{} bytes are not whole rows of {row}", rows_bytes.len());
    if device_row == row {
        return Cow::Borrowed(rows_bytes);
    }
    Cow::Owned(match dtype.block_bytes() {
        18 => pad_blocks::<18, 20>(rows_bytes),
        22 => pad_blocks::<22, 24>(rows_bytes),
        34 => pad_blocks::<34, 36>(rows_bytes),
        110 => pad_blocks::<110, 112>(rows_bytes),
        210 => pad_blocks::<210, 212>(rows_bytes),
        _ => pad_rows(rows_bytes, row, device_row),
    })
}

/// Lengths are constants here because a model has hundreds of millions of blocks: a copy of known length is a few moves
/// in place of a call.
fn pad_blocks<const FROM: usize, const TO: usize>(bytes: &[u8]) -> Vec<u8> {
    let mut padded = vec![0; bytes.len() / FROM * TO];
    for (to, from) in padded.as_chunks_mut::<TO>().0.iter_mut().zip(bytes.as_chunks::<FROM>().0) {
        to[..FROM].copy_from_slice(from);
    }
    padded
}

fn pad_rows(bytes: &[u8], row: usize, device_row: usize) -> Vec<u8> {
    let mut padded = vec![0; bytes.len() / row * device_row];
    for (to, from) in padded.chunks_exact_mut(device_row).zip(bytes.chunks_exact(row)) {
        to[..row].copy_from_slice(from);
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are never zero, so that padding shows.
    fn file_bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8 + 1).collect()
    }

    #[test]
    fn each_block_keeps_its_bytes_and_ends_in_zeros() {
        for dtype in DType::all() {
            let (columns, rows) = (512, 3);
            let unit = device_block_len(dtype) / dtype.block_len() * dtype.block_bytes();
            let source = file_bytes(rows * columns / dtype.block_len() * dtype.block_bytes());
            let device = to_device_rows(dtype, columns, &source);
            assert_eq!(device.len(), rows * device_row_bytes(dtype, columns), "{dtype}");
            for (from, to) in source.chunks(unit).zip(device.chunks(device_block_bytes(dtype))) {
                assert_eq!(&to[..unit], from, "{dtype}");
                assert!(to[unit..].iter().all(|&byte| byte == 0), "{dtype}");
            }
        }
    }

    #[test]
    fn rows_are_borrowed_where_the_layouts_agree() {
        for dtype in DType::all() {
            let source = file_bytes(1024 / dtype.block_len() * dtype.block_bytes());
            let borrowed = matches!(to_device_rows(dtype, 512, &source), Cow::Borrowed(_));
            assert_eq!(
                borrowed,
                device_block_bytes(dtype) * 512
                    == dtype.block_bytes() * 512 / dtype.block_len() * device_block_len(dtype),
                "{dtype}"
            );
        }
    }

    #[test]
    fn odd_rows_of_plain_types_are_padded_to_four_values() {
        for (dtype, size) in [(DType::F32, 4), (DType::F16, 2), (DType::BF16, 2)] {
            for columns in 1..=9_usize {
                let source = file_bytes(2 * columns * size);
                let device = to_device_rows(dtype, columns, &source);
                let device_row = columns.next_multiple_of(4) * size;
                assert_eq!(device_row_bytes(dtype, columns), device_row);
                assert_eq!(device.len(), 2 * device_row);
                for (from, to) in source.chunks(columns * size).zip(device.chunks(device_row)) {
                    assert_eq!(&to[..from.len()], from);
                    assert!(to[from.len()..].iter().all(|&byte| byte == 0));
                }
            }
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
