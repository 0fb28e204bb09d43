//! Scalar decode of one weight row: what every faster kernel is held to, and the CPU executor's own path.
//!
//! Every product here is exact in f32: an f16 scale has 11 significant bits, a group scale at most 7 and a quant at most
//! 7, 23 to 24 in all, and the smallest f16 is far above f32's underflow. Only the addition of a minimum rounds, once. So
//! the order of the factors, and whether a compiler fuses the addition, cannot change a value.
//!
//! The loops run over arrays of fixed length and without branches, so that they vectorise for SSE2 and simd128 alike.

mod iq;
mod k;
mod legacy;

use super::DType;
use bytemuck::Pod;

/// Decodes one row: `bytes` holds the blocks of `out.len()` values, as in a GGUF file.
///
/// Bit-exact with `gguf.quants.dequantize` of the `gguf` Python package.
///
/// # Panics
/// Where `out.len()` is not a multiple of the block length, or `bytes` is not exactly that many blocks.
pub fn decode_row(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    assert!(
        dtype.row_bytes(out.len()) == Some(bytes.len()),
        "a row of {} {dtype} values cannot be {} bytes long",
        out.len(),
        bytes.len()
    );
    (dtype.row().decode)(bytes, out);
}

pub(super) fn decode_f32(bytes: &[u8], out: &mut [f32]) {
    decode_values(bytes, out, f32::from_le_bytes);
}

pub(super) fn decode_f16(bytes: &[u8], out: &mut [f32]) {
    decode_values(bytes, out, half_to_f32);
}

pub(super) fn decode_bf16(bytes: &[u8], out: &mut [f32]) {
    decode_values(bytes, out, |[low, high]| f32::from_le_bytes([0, 0, low, high]));
}

/// A block of `LEN` values.
pub(super) trait Block<const LEN: usize>: Pod {
    fn decode(&self, out: &mut [f32; LEN]);
}

pub(super) fn decode_blocks<const LEN: usize, B: Block<LEN>>(bytes: &[u8], out: &mut [f32]) {
    let (chunks, _) = out.as_chunks_mut::<LEN>();
    for (block, values) in bytemuck::cast_slice::<u8, B>(bytes).iter().zip(chunks) {
        block.decode(values);
    }
}

fn decode_values<const BYTES: usize>(bytes: &[u8], out: &mut [f32], decode: impl Fn([u8; BYTES]) -> f32) {
    let (values, _) = bytes.as_chunks::<BYTES>();
    for (value, &bits) in out.iter_mut().zip(values) {
        *value = decode(bits);
    }
}

/// The f32 of a little-endian f16, by selects in place of `half`'s run-time feature check, which cannot be inlined into
/// a vectorised loop. The twin of `half_to_f32` in `gpu/shaders/units/half.wgsl`.
#[inline(always)]
fn half_to_f32(bytes: [u8; 2]) -> f32 {
    // Exponents are biased by 15 in f16 and by 127 in f32; the all-ones exponent stays all ones.
    const REBIAS: u32 = (127 - 15) << 23;
    const SUBNORMAL_UNIT: f32 = 1.0 / (1 << 24) as f32;

    let bits = u32::from(u16::from_le_bytes(bytes));
    let sign = (bits & 0x8000) << 16;
    let magnitude = bits & 0x7fff;
    let normal = (magnitude << 13) + REBIAS + if magnitude >= 0x7c00 { REBIAS } else { 0 };
    // By way of i32, because SSE2 converts no unsigned integers.
    let subnormal = (magnitude as i32 as f32 * SUBNORMAL_UNIT).to_bits();
    f32::from_bits(sign | if magnitude < 0x0400 { subnormal } else { normal })
}

#[cfg(test)]
mod tests {
    use super::half_to_f32;

    #[test]
    fn half_to_f32_agrees_with_the_half_crate_on_every_bit_pattern() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (half_to_f32(bits.to_le_bytes()), half::f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:04x}");
        }
    }
}
