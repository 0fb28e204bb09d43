//! AVX-512 with VNNI: sixteen lanes, and four byte products a lane in one instruction.

use std::arch::x86_64::*;

use super::{Simd, SimdKernel};
use crate::cpu::quantised::ActUnit;

/// Proof of AVX-512 F, BW, VL and VNNI: only [`run`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

pub fn available() -> bool {
    // What compilers take to come with AVX-512 F is asked for too: a virtual machine may leave out any of it.
    super::avx2::available()
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

pub fn run<K: SimdKernel>(kernel: K) -> K::Output {
    if !available() {
        return kernel.run(super::portable::Portable);
    }
    // SAFETY: the machine has the features, as was just seen.
    unsafe { enter(kernel) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn enter<K: SimdKernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

const LANES: usize = 16;

// SAFETY, of every block below: an `Avx512` exists only where the machine has the features, and slices are cut to the length
// that an instruction reads or writes before their address is taken; no instruction here wants alignment.
impl Simd for Avx512 {
    const LANES: usize = LANES;
    type F = __m512;
    type I = __m512i;
    type B = __m512i;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_loadu_ps(from[..LANES].as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: Self::F, to: &mut [f32]) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to[..LANES].as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    fn to_f(self, v: Self::I) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_cvtepi32_ps(v) }
    }

    #[inline(always)]
    fn nearest(self, v: Self::F) -> Self::I {
        // SAFETY: see above. Rust keeps the rounding mode at nearest even.
        unsafe { _mm512_cvtps_epi32(v) }
    }

    #[inline(always)]
    fn pow2(self, v: Self::I) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(v, _mm512_set1_epi32(127)))) }
    }

    #[inline(always)]
    fn splat_i(self, value: i32) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    fn store_i8(self, v: Self::I, to: &mut [i8]) {
        // SAFETY: see above.
        unsafe { _mm_storeu_si128(to[..LANES].as_mut_ptr().cast(), _mm512_cvtepi32_epi8(v)) }
    }

    #[inline(always)]
    fn f32(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_loadu_ps(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn f16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from[..2 * LANES].as_ptr().cast())) }
    }

    #[inline(always)]
    fn bf16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from[..2 * LANES].as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        }
    }

    #[inline(always)]
    fn u8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from[..LANES].as_ptr().cast())) }
    }

    #[inline(always)]
    fn i8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from[..LANES].as_ptr().cast())) }
    }

    #[inline(always)]
    fn nibbles(self, from: &[u8]) -> (Self::I, Self::I) {
        let both = self.u8(from);
        // SAFETY: see above.
        unsafe { (_mm512_and_si512(both, _mm512_set1_epi32(15)), _mm512_srli_epi32::<4>(both)) }
    }

    #[inline(always)]
    fn bytes(self, from: &[u8]) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm512_loadu_si512(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_bytes(self, v: Self::B, to: &mut [u8]) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_si512(to[..4 * LANES].as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    fn mask(self, v: Self::B, mask: u8) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm512_and_si512(v, _mm512_set1_epi8(mask as i8)) }
    }

    #[inline(always)]
    fn or(self, a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    fn shift<const BY: i32>(self, v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe {
            let by = _mm_cvtsi32_si128(BY.abs());
            if BY > 0 { _mm512_srl_epi16(v, by) } else { _mm512_sll_epi16(v, by) }
        }
    }

    #[inline(always)]
    fn lookup(self, table: &[i8; 16], v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast())), v) }
    }

    #[inline(always)]
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        let a = a.fours(half);
        // SAFETY: see above.
        unsafe {
            let sum = _mm512_dpbusd_epi32(sum, w[0], _mm512_set1_epi32(a[0]));
            let sum = _mm512_dpbusd_epi32(sum, w[1], _mm512_set1_epi32(a[1]));
            let sum = _mm512_dpbusd_epi32(sum, w[2], _mm512_set1_epi32(a[2]));
            _mm512_dpbusd_epi32(sum, w[3], _mm512_set1_epi32(a[3]))
        }
    }

    #[inline(always)]
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        // The instruction's first factor is unsigned: 128 more, which the sum of the quants takes off again.
        // SAFETY: see above.
        let (flip, excess) = unsafe { (_mm512_set1_epi8(-128), _mm512_set1_epi32(128 * a.sums[half])) };
        // SAFETY: see above.
        let w = unsafe {
            [
                _mm512_xor_si512(w[0], flip),
                _mm512_xor_si512(w[1], flip),
                _mm512_xor_si512(w[2], flip),
                _mm512_xor_si512(w[3], flip),
            ]
        };
        self.sub_i(self.dot::<8>(sum, w, a, half), excess)
    }
}
