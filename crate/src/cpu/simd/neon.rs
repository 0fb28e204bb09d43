//! NEON: four lanes. Every aarch64 processor has it. Dot products of bytes came with Armv8.2; where they are missing, byte products go
//! by way of 16-bit sums.

use std::arch::{aarch64::*, asm, is_aarch64_feature_detected};

use super::{Simd, SimdKernel};
use crate::cpu::quantised::ActUnit;

/// NEON is part of aarch64; with `DOT`, proof of dot products too: only [`run_dot`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Neon<const DOT: bool>(());

pub fn dot_available() -> bool {
    is_aarch64_feature_detected!("dotprod")
}

/// A function for each kernel: all of them in one would be more than a compiler allots registers well for.
#[inline(never)]
pub fn run<K: SimdKernel>(kernel: K) -> K::Output {
    kernel.run(Neon::<false>(()))
}

pub fn run_dot<K: SimdKernel>(kernel: K) -> K::Output {
    if !dot_available() {
        return run(kernel);
    }
    // SAFETY: the machine has the feature, as was just seen.
    unsafe { enter_dot(kernel) }
}

/// See [`run`].
#[inline(never)]
#[target_feature(enable = "dotprod")]
fn enter_dot<K: SimdKernel>(kernel: K) -> K::Output {
    kernel.run(Neon::<true>(()))
}

const LANES: usize = 4;

// SAFETY, of every block below: every aarch64 processor has the instructions but for dot products, which those have where a
// `Neon<true>` exists, and slices are cut to the length that an instruction reads or writes before their address is taken; no
// instruction here wants alignment.
impl<const DOT: bool> Simd for Neon<DOT> {
    const LANES: usize = LANES;
    type F = float32x4_t;
    type I = int32x4_t;
    type B = uint8x16_t;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        // SAFETY: see above.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        // SAFETY: see above.
        unsafe { vld1q_f32(from[..LANES].as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: Self::F, to: &mut [f32]) {
        // SAFETY: see above.
        unsafe { vst1q_f32(to[..LANES].as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vdivq_f32(a, b) }
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { vabsq_f32(a) }
    }

    #[inline(always)]
    fn to_f(self, v: Self::I) -> Self::F {
        // SAFETY: see above.
        unsafe { vcvtq_f32_s32(v) }
    }

    #[inline(always)]
    fn nearest(self, v: Self::F) -> Self::I {
        // SAFETY: see above.
        unsafe { vcvtnq_s32_f32(v) }
    }

    #[inline(always)]
    fn pow2(self, v: Self::I) -> Self::F {
        // SAFETY: see above.
        unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(v, vdupq_n_s32(127)))) }
    }

    #[inline(always)]
    fn splat_i(self, value: i32) -> Self::I {
        // SAFETY: see above.
        unsafe { vdupq_n_s32(value) }
    }

    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { vaddq_s32(a, b) }
    }

    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { vsubq_s32(a, b) }
    }

    #[inline(always)]
    fn store_i8(self, v: Self::I, to: &mut [i8]) {
        // SAFETY: see above.
        unsafe {
            let mut lanes = [0; LANES];
            vst1q_s32(lanes.as_mut_ptr(), v);
            to[..LANES].copy_from_slice(&lanes.map(|lane| lane as i8));
        }
    }

    #[inline(always)]
    fn f32(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { vld1q_f32(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn f16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from[..2 * LANES].as_ptr().cast()))) }
    }

    #[inline(always)]
    fn bf16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(from[..2 * LANES].as_ptr().cast())))) }
    }

    #[inline(always)]
    fn u8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(four(from))))) }
    }

    #[inline(always)]
    fn i8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four(from))))) }
    }

    #[inline(always)]
    fn nibbles(self, from: &[u8]) -> (Self::I, Self::I) {
        let both = self.u8(from);
        // SAFETY: see above.
        unsafe { (vandq_s32(both, vdupq_n_s32(15)), vshrq_n_s32::<4>(both)) }
    }

    #[inline(always)]
    fn bytes(self, from: &[u8]) -> Self::B {
        // SAFETY: see above.
        unsafe { vld1q_u8(from[..4 * LANES].as_ptr()) }
    }

    #[inline(always)]
    fn store_bytes(self, v: Self::B, to: &mut [u8]) {
        // SAFETY: see above.
        unsafe { vst1q_u8(to[..4 * LANES].as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn mask(self, v: Self::B, mask: u8) -> Self::B {
        // SAFETY: see above.
        unsafe { vandq_u8(v, vdupq_n_u8(mask)) }
    }

    #[inline(always)]
    fn or(self, a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { vorrq_u8(a, b) }
    }

    #[inline(always)]
    fn shift<const BY: i32>(self, v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { vshlq_u8(v, vdupq_n_s8(-BY as i8)) }
    }

    #[inline(always)]
    fn lookup(self, table: &[i8; 16], v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { vreinterpretq_u8_s8(vqtbl1q_s8(vld1q_s8(table.as_ptr()), v)) }
    }

    #[inline(always)]
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        if DOT {
            return self.dot_signed(sum, w, a, half);
        }
        // No sum of 16 bits overflows: four products of 6 and 8 bits are at most 32,004, eight of 5 at most 31,496.
        let (low, high) = products(w, a.fours(half));
        // SAFETY: see above.
        unsafe {
            if BITS <= 5 {
                return vpadalq_s16(sum, vpaddq_s16(low, high));
            }
            vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))
        }
    }

    #[inline(always)]
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        if DOT {
            // SAFETY: see above.
            return unsafe { dot_products(sum, w, vld1q_s8(a.quants[16 * half..][..16].as_ptr())) };
        }
        // Two products of 8 bits are at most 32,512.
        let [a0, a1, a2, a3] = a.fours(half);
        let ((low, high), (low2, high2)) = (products([w[0], w[1]], [a0, a1]), products([w[2], w[3]], [a2, a3]));
        // SAFETY: see above.
        unsafe {
            let low = vpadalq_s16(vpaddlq_s16(low), low2);
            let high = vpadalq_s16(vpaddlq_s16(high), high2);
            vaddq_s32(sum, vpaddq_s32(low, high))
        }
    }
}

/// The first four bytes, then zeros.
#[inline(always)]
fn four(from: &[u8]) -> uint8x8_t {
    // SAFETY: every aarch64 processor has the instruction, and the slice is cut to the length that is read.
    unsafe { vcreate_u8(u64::from(from[..LANES].as_ptr().cast::<u32>().read_unaligned())) }
}

/// Adds the products of the four bytes of each lane of each of `w` with those of the lane of `a` of that number.
#[inline]
#[target_feature(enable = "dotprod")]
fn dot_products(mut sum: int32x4_t, w: [uint8x16_t; 4], a: int8x16_t) -> int32x4_t {
    let [w0, w1, w2, w3] = w;
    // SAFETY: the machine has the instruction, which touches nothing but these registers. Its intrinsic is not stable yet.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {w0:v}.16b, {a:v}.4b[0]",
            "sdot {sum:v}.4s, {w1:v}.16b, {a:v}.4b[1]",
            "sdot {sum:v}.4s, {w2:v}.16b, {a:v}.4b[2]",
            "sdot {sum:v}.4s, {w3:v}.16b, {a:v}.4b[3]",
            sum = inout(vreg) sum, w0 = in(vreg) w0, w1 = in(vreg) w1, w2 = in(vreg) w2, w3 = in(vreg) w3, a = in(vreg) a,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// Sums over `w` of each byte's product, in 16 bits: of the first two lanes, and of the last two.
#[inline(always)]
fn products<const N: usize>(w: [uint8x16_t; N], a: [i32; N]) -> (int16x8_t, int16x8_t) {
    // SAFETY: every aarch64 processor has the instructions.
    unsafe {
        let (mut low, mut high) = (vdupq_n_s16(0), vdupq_n_s16(0));
        for (w, a) in w.into_iter().zip(a) {
            let (w, a) = (vreinterpretq_s8_u8(w), vreinterpret_s8_s32(vdup_n_s32(a)));
            low = vmlal_s8(low, vget_low_s8(w), a);
            high = vmlal_s8(high, vget_high_s8(w), a);
        }
        (low, high)
    }
}
