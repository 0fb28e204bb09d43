//! Whether blocks decode to finite numbers, told by their scales alone.

use std::mem::offset_of;

use super::{DType, blocks};

/// True where every value that whole blocks decode to is finite. Quants are integers, so only scales and minimums decide, and none
/// of their products with an integer leaves f32's range.
///
/// # Panics
/// Where `bytes` are not whole blocks.
pub fn are_finite(dtype: DType, bytes: &[u8]) -> bool {
    let size = dtype.block_bytes();
    assert!(bytes.len().is_multiple_of(size), "{} bytes are not whole blocks of {dtype}", bytes.len());
    let fields: &[usize] = match dtype {
        DType::F32 => return bytes.as_chunks().0.iter().fold(true, |all, b| all & f32::from_le_bytes(*b).is_finite()),
        DType::BF16 => return bytes.as_chunks().0.iter().fold(true, |all, b| all & is_finite(*b, 0x7f80)),
        DType::F16 => return bytes.as_chunks().0.iter().fold(true, |all, b| all & is_finite(*b, F16_EXPONENT)),
        DType::Q4_0 => &[offset_of!(blocks::Q4_0, d)],
        DType::Q4_1 => &[offset_of!(blocks::Q4_1, d), offset_of!(blocks::Q4_1, m)],
        DType::Q5_0 => &[offset_of!(blocks::Q5_0, d)],
        DType::Q5_1 => &[offset_of!(blocks::Q5_1, d), offset_of!(blocks::Q5_1, m)],
        DType::Q8_0 => &[offset_of!(blocks::Q8_0, d)],
        DType::Q2_K => &[offset_of!(blocks::Q2_K, d), offset_of!(blocks::Q2_K, dmin)],
        DType::Q3_K => &[offset_of!(blocks::Q3_K, d)],
        DType::Q4_K => &[offset_of!(blocks::Q4_K, d), offset_of!(blocks::Q4_K, dmin)],
        DType::Q5_K => &[offset_of!(blocks::Q5_K, d), offset_of!(blocks::Q5_K, dmin)],
        DType::Q6_K => &[offset_of!(blocks::Q6_K, d)],
        DType::IQ4_NL => &[offset_of!(blocks::IQ4_NL, d)],
        DType::IQ4_XS => &[offset_of!(blocks::IQ4_XS, d)],
    };
    let finite = |block: &[u8]| fields.iter().all(|&at| is_finite([block[at], block[at + 1]], F16_EXPONENT));
    bytes.chunks_exact(size).all(finite)
}

const F16_EXPONENT: u16 = 0x7c00;

/// Of a float of 16 bits, whose exponent's bits are these.
fn is_finite(bytes: [u8; 2], exponent: u16) -> bool {
    u16::from_le_bytes(bytes) & exponent != exponent
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{RandomRows, SplitMix64, decode_row};
    use super::*;

    /// Each two bytes of a block, set to an infinity or a NaN, change the answer exactly where they change a value.
    #[test]
    fn only_what_decodes_to_finite_values_is_finite() {
        let mut random = SplitMix64::new(9);
        for dtype in DType::all() {
            let mut bytes = vec![0; 3 * dtype.block_bytes()];
            RandomRows::new(dtype, 1.0).fill(&mut random, &mut bytes);
            assert!(are_finite(dtype, &bytes), "{dtype}");
            let mut refused = 0;
            let step = if cfg!(miri) { 31 } else { 1 };
            for (at, half) in
                (0..bytes.len() - 1).step_by(step).flat_map(|at| [0x7c00u16, 0xfe00, 0x7f80].map(|half| (at, half)))
            {
                let mut odd = bytes.clone();
                odd[at..at + 2].copy_from_slice(&half.to_le_bytes());
                let mut values = vec![0.0; 3 * dtype.block_len()];
                decode_row(dtype, &odd, &mut values);
                let finite = values.iter().all(|v| v.is_finite());
                assert_eq!(are_finite(dtype, &odd), finite, "{dtype}, {half:04x} at byte {at}");
                refused += usize::from(!finite);
            }
            assert!(cfg!(miri) || refused > 0, "{dtype} has no scale");
        }
    }
}
