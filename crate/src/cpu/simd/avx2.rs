//! AVX2 and F16C: eight lanes, and byte products by way of 16-bit pairs.

use std::arch::x86_64::*;

use super::{Simd, SimdKernel};
use crate::cpu::quantised::ActUnit;

/// Proof of AVX2 and F16C: only [`run`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

pub fn available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c")
}

pub fn run<K: SimdKernel>(kernel: K) -> K::Output {
    if !available() {
        return kernel.run(super::portable::Portable);
    }
    // SAFETY: the machine has the features, as was just seen.
    unsafe { enter(kernel) }
}

#[target_feature(enable = "avx2,f16c")]
fn enter<K: SimdKernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

const LANES: usize = 8;

// SAFETY, of every block below: an `Avx2` exists only where the machine has the features, and slices are cut to the length
// that an instruction reads or writes before their address is taken; no instruction here wants alignment.
impl Simd for Avx2 {
    const LANES: usize = LANES;
    type F = __m256;
    type I = __m256i;
    type B = __m256i;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_loadu_ps(from[..LANES].as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: Self::F, to: &mut [f32]) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(to[..LANES].as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }

    #[inline(always)]
    fn to_f(self, v: Self::I) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_cvtepi32_ps(v) }
    }

    #[inline(always)]
    fn nearest(self, v: Self::F) -> Self::I {
        // SAFETY: see above. Rust keeps the rounding mode at nearest even.
        unsafe { _mm256_cvtps_epi32(v) }
    }

    #[inline(always)]
    fn pow2(self, v: Self::I) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(v, _mm256_set1_epi32(127)))) }
    }

    #[inline(always)]
    fn splat_i(self, value: i32) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm256_set1_epi32(value) }
    }

    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    fn store_i8(self, v: Self::I, to: &mut [i8]) {
        // SAFETY: see above.
        unsafe {
            {
                // Saturating changes nothing in this range; both halves of the vector hold their four bytes first.
                let bytes = _mm256_packs_epi16(_mm256_packs_epi32(v, v), _mm256_setzero_si256());
                let low = _mm256_extract_epi32::<0>(bytes).to_ne_bytes();
                let high = _mm256_extract_epi32::<4>(bytes).to_ne_bytes();
                to[..4].copy_from_slice(&low.map(|b| b as i8));
                to[4..LANES].copy_from_slice(&high.map(|b| b as i8));
            }
        }
    }

    #[inline(always)]
    fn f32(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_loadu_ps(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn f16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from[..2 * LANES].as_ptr().cast())) }
    }

    #[inline(always)]
    fn bf16(self, from: &[u8]) -> Self::F {
        // SAFETY: see above.
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from[..2 * LANES].as_ptr().cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        }
    }

    #[inline(always)]
    fn u8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from[..LANES].as_ptr().cast())) }
    }

    #[inline(always)]
    fn i8(self, from: &[u8]) -> Self::I {
        // SAFETY: see above.
        unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from[..LANES].as_ptr().cast())) }
    }

    #[inline(always)]
    fn nibbles(self, from: &[u8]) -> (Self::I, Self::I) {
        let both = self.u8(from);
        // SAFETY: see above.
        unsafe { (_mm256_and_si256(both, _mm256_set1_epi32(15)), _mm256_srli_epi32::<4>(both)) }
    }

    #[inline(always)]
    fn bytes(self, from: &[u8]) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm256_loadu_si256(from[..4 * LANES].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_bytes(self, v: Self::B, to: &mut [u8]) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_si256(to[..4 * LANES].as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    fn mask(self, v: Self::B, mask: u8) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm256_and_si256(v, _mm256_set1_epi8(mask as i8)) }
    }

    #[inline(always)]
    fn or(self, a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    fn shift<const BY: i32>(self, v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe {
            let by = _mm_cvtsi32_si128(BY.abs());
            if BY > 0 { _mm256_srl_epi16(v, by) } else { _mm256_sll_epi16(v, by) }
        }
    }

    #[inline(always)]
    fn lookup(self, table: &[i8; 16], v: Self::B) -> Self::B {
        // SAFETY: see above.
        unsafe { _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())), v) }
    }

    #[inline(always)]
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        let a = a.fours(half);
        // SAFETY: see above. No sum of 16 bits overflows: a pair is at most 2 * 127 * (2^BITS - 1), so that two pairs fit for
        // 6 bits (32,004) and four for 5 (31,496).
        unsafe {
            let ones = _mm256_set1_epi16(1);
            let p0 = _mm256_maddubs_epi16(w[0], _mm256_set1_epi32(a[0]));
            let p1 = _mm256_maddubs_epi16(w[1], _mm256_set1_epi32(a[1]));
            let p2 = _mm256_maddubs_epi16(w[2], _mm256_set1_epi32(a[2]));
            let p3 = _mm256_maddubs_epi16(w[3], _mm256_set1_epi32(a[3]));
            let (p01, p23) = (_mm256_add_epi16(p0, p1), _mm256_add_epi16(p2, p3));
            if BITS <= 5 {
                return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(p01, p23), ones));
            }
            let quads = _mm256_add_epi32(_mm256_madd_epi16(p01, ones), _mm256_madd_epi16(p23, ones));
            _mm256_add_epi32(sum, quads)
        }
    }

    #[inline(always)]
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        let a = a.fours(half);
        // SAFETY: see above. The sign goes over to the other factor; a pair is at most 2 * 127 * 128, which fits 16 bits.
        unsafe {
            let ones = _mm256_set1_epi16(1);
            let p0 = signed_pairs(w[0], _mm256_set1_epi32(a[0]));
            let p1 = signed_pairs(w[1], _mm256_set1_epi32(a[1]));
            let p2 = signed_pairs(w[2], _mm256_set1_epi32(a[2]));
            let p3 = signed_pairs(w[3], _mm256_set1_epi32(a[3]));
            let q01 = _mm256_add_epi32(_mm256_madd_epi16(p0, ones), _mm256_madd_epi16(p1, ones));
            let q23 = _mm256_add_epi32(_mm256_madd_epi16(p2, ones), _mm256_madd_epi16(p3, ones));
            _mm256_add_epi32(sum, _mm256_add_epi32(q01, q23))
        }
    }
}

/// Sums of two neighbouring products each.
#[inline(always)]
unsafe fn signed_pairs(w: __m256i, a: __m256i) -> __m256i {
    // SAFETY: the caller's machine has AVX2.
    unsafe { _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w)) }
}
