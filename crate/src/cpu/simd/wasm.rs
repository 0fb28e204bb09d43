//! simd128, and the relaxed dot product where the build has it: a module with relaxed instructions does not start in a browser
//! without them, so they are a build of their own.

use std::arch::wasm32::*;

use super::{Simd, SimdKernel};
use crate::cpu::quantised::ActUnit;

/// Wasm knows no detection at run time: a build has the instructions or it has not.
#[derive(Debug, Clone, Copy)]
pub struct Wasm(());

/// A function for each kernel: all of them in one would be more than a compiler allots registers well for.
#[inline(never)]
pub fn run<K: SimdKernel>(kernel: K) -> K::Output {
    kernel.run(Wasm(()))
}

const LANES: usize = 4;

// SAFETY, of every block below: the whole build has the instructions, and slices are cut to the length that an instruction reads
// or writes before their address is taken; no instruction here wants alignment.
impl Simd for Wasm {
    const LANES: usize = LANES;
    type F = v128;
    type I = v128;
    type B = v128;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        f32x4_splat(value)
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        // SAFETY: see above.
        unsafe { v128_load(from[..LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, v: Self::F, to: &mut [f32]) {
        // SAFETY: see above.
        unsafe { v128_store(to[..LANES].as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        f32x4_add(a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        f32x4_sub(a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        f32x4_mul(a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        f32x4_div(a, b)
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        // One instruction everywhere, which `f32x4_min` is not.
        f32x4_pmin(b, a)
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        f32x4_pmax(b, a)
    }

    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        f32x4_abs(a)
    }

    #[inline(always)]
    fn to_f(self, v: Self::I) -> Self::F {
        f32x4_convert_i32x4(v)
    }

    #[inline(always)]
    fn nearest(self, v: Self::F) -> Self::I {
        // All bits of a float of this size that are below 1 are rounded away, to nearest even; exact to 2^22, and far
        // cheaper than the instruction that also handles NaN.
        let magic = f32x4_splat(12_582_912.0);
        i32x4_sub(f32x4_add(v, magic), magic)
    }

    #[inline(always)]
    fn pow2(self, v: Self::I) -> Self::F {
        i32x4_shl(i32x4_add(v, i32x4_splat(127)), 23)
    }

    #[inline(always)]
    fn splat_i(self, value: i32) -> Self::I {
        i32x4_splat(value)
    }

    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        i32x4_add(a, b)
    }

    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        i32x4_sub(a, b)
    }

    #[inline(always)]
    fn store_i8(self, v: Self::I, to: &mut [i8]) {
        let shorts = i16x8_narrow_i32x4(v, v);
        let bytes = i32x4_extract_lane::<0>(i8x16_narrow_i16x8(shorts, shorts)).to_ne_bytes();
        to[..LANES].copy_from_slice(&bytes.map(|b| b as i8));
    }

    #[inline(always)]
    fn f32(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { v128_load(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn f16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe {
            let bits = u32x4_load_extend_u16x4(from[..2 * LANES].as_ptr().cast());
            let sign = u32x4_shl(v128_and(bits, u32x4_splat(0x8000)), 16);
            // Exponents differ by 112. That makes a subnormal m * 2^-24 a 2^-15 + m * 2^-25, from which it is twice what is above 2^-15;
            // of a normal number that is more than itself. No operand is subnormal: many processors take a hundred times as
            // long for those, and scales of Q6_K mostly are, as f16.
            let magnitude = u32x4_shl(v128_and(bits, u32x4_splat(0x7fff)), 13);
            let normal = i32x4_add(magnitude, i32x4_splat(112 << 23));
            let subnormal = f32x4_sub(f32x4_add(normal, normal), f32x4_splat(f32::from_bits(113 << 23)));
            v128_or(f32x4_pmin(normal, subnormal), sign)
        }
    }

    #[inline(always)]
    fn f16_weights(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe {
            // The exponent and the fraction at their places in an f32, of which the sign has left three copies above the exponent.
            let bits = i32x4_shl(i32x4_load_extend_i16x4(from[..2 * LANES].as_ptr().cast()), 13);
            let scaled = v128_and(bits, u32x4_splat(0x8fff_e000));
            f32x4_mul(scaled, f32x4_splat(f32::from_bits((127 + 112) << 23)))
        }
    }

    #[inline(always)]
    fn bf16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { u32x4_shl(u32x4_load_extend_u16x4(from[..2 * LANES].as_ptr().cast()), 16) }
    }

    #[inline(always)]
    fn u8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(v128_load32_zero(from[..LANES].as_ptr().cast()))) }
    }

    #[inline(always)]
    fn i8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { i32x4_extend_low_i16x8(i16x8_extend_low_i8x16(v128_load32_zero(from[..LANES].as_ptr().cast()))) }
    }

    #[inline(always)]
    fn nibbles(self, from: &[u8]) -> (Self::I, Self::I) {
        let both = self.u8(from);
        (v128_and(both, i32x4_splat(15)), u32x4_shr(both, 4))
    }

    #[inline(always)]
    fn bytes(self, from: &[u8]) -> Self::B {
        // SAFETY: see above.
        unsafe { v128_load(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_bytes(self, v: Self::B, to: &mut [u8]) {
        // SAFETY: see above.
        unsafe { v128_store(to[..4 * LANES].as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    fn mask(self, v: Self::B, mask: u8) -> Self::B {
        v128_and(v, u8x16_splat(mask))
    }

    #[inline(always)]
    fn or(self, a: Self::B, b: Self::B) -> Self::B {
        v128_or(a, b)
    }

    #[inline(always)]
    fn shift<const BY: i32>(self, v: Self::B) -> Self::B {
        if BY > 0 { u16x8_shr(v, BY.unsigned_abs()) } else { u16x8_shl(v, BY.unsigned_abs()) }
    }

    #[inline(always)]
    fn lookup(self, table: &[i8; 16], v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { i8x16_swizzle(v128_load(table.as_ptr().cast()), v) }
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        // Bytes 0 and 2 of each four lie in the low halves of 16-bit lanes, 1 and 3 in the high ones.
        let mut sum = sum;
        for (i, w) in w.into_iter().enumerate() {
            let (even, odd) = pairs(a, half, i);
            sum = i32x4_add(sum, i32x4_dot_i16x8(v128_and(w, u16x8_splat(0xff)), even));
            sum = i32x4_add(sum, i32x4_dot_i16x8(u16x8_shr(w, 8), odd));
        }
        sum
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        let mut sum = sum;
        for (i, w) in w.into_iter().enumerate() {
            let (even, odd) = pairs(a, half, i);
            sum = i32x4_add(sum, i32x4_dot_i16x8(i16x8_shr(i16x8_shl(w, 8), 8), even));
            sum = i32x4_add(sum, i32x4_dot_i16x8(i16x8_shr(w, 8), odd));
        }
        sum
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        // Exact on every machine: the second factor has at most 7 bits, and a pair of products at most 2 * 127 * 127. Of five bits,
        // four pairs still fit 16 bits, of six bits two: they are widened together.
        let [p0, p1, p2, p3] = [0, 1, 2, 3].map(|i| i16x8_relaxed_dot_i8x16_i7x16(four(a, half, i), w[i]));
        let wide = match BITS {
            0..=5 => i32x4_extadd_pairwise_i16x8(i16x8_add(i16x8_add(p0, p1), i16x8_add(p2, p3))),
            6 => i32x4_add(
                i32x4_extadd_pairwise_i16x8(i16x8_add(p0, p1)),
                i32x4_extadd_pairwise_i16x8(i16x8_add(p2, p3)),
            ),
            _ => {
                let [w0, w1, w2, w3] = [p0, p1, p2, p3].map(|p| i32x4_extadd_pairwise_i16x8(p));
                i32x4_add(i32x4_add(w0, w1), i32x4_add(w2, w3))
            }
        };
        i32x4_add(sum, wide)
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        // w = (w & 127) - 128 * (its sign bit): two factors of at most 7 bits.
        let low = w.map(|w| self.mask(w, 127));
        let sign = w.map(|w| self.mask(self.shift::<7>(w), 1));
        let signs = i32x4_shl(self.dot::<2>(self.splat_i(0), sign, a, half), 7);
        self.sub_i(self.dot::<7>(sum, low, a, half), signs)
    }
}

/// Four quants of one half as 16-bit integers, in every lane: the first and third, the second and fourth.
#[cfg(not(target_feature = "relaxed-simd"))]
#[inline(always)]
fn pairs(a: &ActUnit, half: usize, four: usize) -> (v128, v128) {
    let four = &a.wide[16 * half + 4 * four..][..4];
    // SAFETY: both halves of four 16-bit integers.
    unsafe { (v128_load32_splat(four.as_ptr().cast()), v128_load32_splat(four[2..].as_ptr().cast())) }
}

/// Four quants of one half, in every lane.
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
fn four(a: &ActUnit, half: usize, four: usize) -> v128 {
    // SAFETY: four bytes, cut to this length.
    unsafe { v128_load32_splat(a.quants[16 * half + 4 * four..][..4].as_ptr().cast()) }
}
