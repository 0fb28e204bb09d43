//! Whether blocks decode to finite numbers, by their scales alone.

use super::DType;

/// True where every value that whole blocks decode to is finite. Quants are integers, so only scales and minimums decide, and none
/// of their products with an integer leaves f32's range.
///
/// # Panics
/// Where `bytes` are not whole blocks.
pub fn are_finite(dtype: DType, bytes: &[u8]) -> bool {
    let size = dtype.block_bytes();
    assert!(bytes.len().is_multiple_of(size), "{} bytes are not whole blocks of {dtype}", bytes.len());
    let fields = match (dtype, &dtype.row().quants) {
        (_, Some(quants)) => quants.scales,
        (DType::F32, _) => {
            return bytes.as_chunks().0.iter().fold(true, |all, b| all & f32::from_le_bytes(*b).is_finite());
        }
        (DType::BF16, _) => return bytes.as_chunks().0.iter().fold(true, |all, b| all & is_finite(*b, BF16_EXPONENT)),
        (_, None) => return bytes.as_chunks().0.iter().fold(true, |all, b| all & is_finite(*b, F16_EXPONENT)),
    };
    let finite = |block: &[u8]| fields.iter().all(|&at| is_finite([block[at], block[at + 1]], F16_EXPONENT));
    bytes.chunks_exact(size).all(finite)
}

const F16_EXPONENT: u16 = 0x7c00;
const BF16_EXPONENT: u16 = 0x7f80;

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
