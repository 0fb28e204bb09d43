//! The definition of every operation, in plain Rust. Four lanes: what compilers make of it fits any vector unit.

use super::Simd;
use crate::cpu::quantised::ActUnit;

/// Needs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

const LANES: usize = 4;

#[inline(always)]
fn map<A: Copy, R>(a: [A; LANES], f: impl Fn(A) -> R) -> [R; LANES] {
    [f(a[0]), f(a[1]), f(a[2]), f(a[3])]
}

#[inline(always)]
fn zip<A: Copy, R>(a: [A; LANES], b: [A; LANES], f: impl Fn(A, A) -> R) -> [R; LANES] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

/// The first values of a slice, as an array.
#[inline(always)]
fn first<T: Copy, const N: usize>(from: &[T]) -> [T; N] {
    let mut array = [from[0]; N];
    array.copy_from_slice(&from[..N]);
    array
}

/// Adds the 16 products of each lane; `value` reads a byte.
#[inline(always)]
fn products(
    mut sum: [i32; LANES],
    w: [[u8; 16]; 4],
    a: &ActUnit,
    half: usize,
    value: impl Fn(u8) -> i32,
) -> [i32; LANES] {
    for (w, a) in w.iter().zip(a.quants[16 * half..][..16].chunks_exact(4)) {
        for lane in 0..LANES {
            for byte in 0..4 {
                sum[lane] += value(w[4 * lane + byte]) * i32::from(a[byte]);
            }
        }
    }
    sum
}

impl Simd for Portable {
    const LANES: usize = LANES;
    type F = [f32; LANES];
    type I = [i32; LANES];
    type B = [u8; 4 * LANES];

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        first(from)
    }

    #[inline(always)]
    fn store(self, v: Self::F, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&v);
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        map(a, f32::abs)
    }

    #[inline(always)]
    fn to_f(self, v: Self::I) -> Self::F {
        map(v, |v| v as f32)
    }

    #[inline(always)]
    fn nearest(self, v: Self::F) -> Self::I {
        map(v, |v| v.round_ties_even() as i32)
    }

    #[inline(always)]
    fn pow2(self, v: Self::I) -> Self::F {
        map(v, |v| f32::from_bits((v.wrapping_add(127) as u32) << 23))
    }

    #[inline(always)]
    fn splat_i(self, value: i32) -> Self::I {
        [value; LANES]
    }

    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |a, b| a.wrapping_add(b))
    }

    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |a, b| a.wrapping_sub(b))
    }

    #[inline(always)]
    fn store_i8(self, v: Self::I, to: &mut [i8]) {
        to[..LANES].copy_from_slice(&map(v, |v| v as i8));
    }

    #[inline(always)]
    fn f32(self, from: &[u8]) -> Self::F {
        let (values, _) = from[..4 * LANES].as_chunks::<4>();
        map([0, 1, 2, 3], |lane: usize| f32::from_le_bytes(values[lane]))
    }

    #[inline(always)]
    fn f16(self, from: &[u8]) -> Self::F {
        let from = &from[..2 * LANES];
        map([0, 1, 2, 3], |lane: usize| half::f16::from_le_bytes([from[2 * lane], from[2 * lane + 1]]).to_f32_const())
    }

    #[inline(always)]
    fn bf16(self, from: &[u8]) -> Self::F {
        let from = &from[..2 * LANES];
        map([0, 1, 2, 3], |lane: usize| f32::from_le_bytes([0, 0, from[2 * lane], from[2 * lane + 1]]))
    }

    #[inline(always)]
    fn u8(self, from: &[u8]) -> Self::I {
        map(first(from), i32::from)
    }

    #[inline(always)]
    fn i8(self, from: &[u8]) -> Self::I {
        map(first(from), |v: u8| i32::from(v as i8))
    }

    #[inline(always)]
    fn nibbles(self, from: &[u8]) -> (Self::I, Self::I) {
        let both = self.u8(from);
        (map(both, |both| both & 15), map(both, |both| both >> 4))
    }

    #[inline(always)]
    fn bytes(self, from: &[u8]) -> Self::B {
        first(from)
    }

    #[inline(always)]
    fn store_bytes(self, v: Self::B, to: &mut [u8]) {
        to[..4 * LANES].copy_from_slice(&v);
    }

    #[inline(always)]
    fn mask(self, v: Self::B, mask: u8) -> Self::B {
        (u128::from_le_bytes(v) & u128::from_le_bytes([mask; 16])).to_le_bytes()
    }

    #[inline(always)]
    fn or(self, a: Self::B, b: Self::B) -> Self::B {
        (u128::from_le_bytes(a) | u128::from_le_bytes(b)).to_le_bytes()
    }

    #[inline(always)]
    fn shift<const BY: i32>(self, v: Self::B) -> Self::B {
        let v = u128::from_le_bytes(v);
        (if BY > 0 { v >> BY.unsigned_abs() } else { v << BY.unsigned_abs() }).to_le_bytes()
    }

    #[inline(always)]
    fn lookup(self, table: &[i8; 16], v: Self::B) -> Self::B {
        v.map(|index| table[usize::from(index & 15)] as u8)
    }

    #[inline(always)]
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        products(sum, w, a, half, i32::from)
    }

    #[inline(always)]
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I {
        products(sum, w, a, half, |byte| i32::from(byte as i8))
    }
}
