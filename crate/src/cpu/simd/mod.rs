//! Instructions that the fast kernels are written over: one trait, one thin file an instruction set.
//!
//! A kernel is written once, over any [`Simd`], in safe code: a value of such a type is the proof that this machine has its
//! instructions, and only the files here can make one. [`Isa::run`] enters a kernel with them switched on.
//!
//! Every operation has one result, whatever the instruction set: integers are exact, and floats are added and multiplied one by
//! one, never fused, because wasm has no fused form. A lane is a row or a channel, never a part of a sum, so that the width of
//! a vector changes no order of addition. So all implementations of a kernel agree bit for bit with the portable one, which defines the arithmetic.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

use super::quantised::ActUnit;

/// Vectors of [`Simd::LANES`] lanes of four bytes.
pub trait Simd: Copy {
    /// Lanes of a vector: 4, 8 or 16.
    const LANES: usize;
    /// One f32 a lane.
    type F: Copy;
    /// One i32 a lane.
    type I: Copy;
    /// Four bytes a lane.
    type B: Copy;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::F;
    /// The first `LANES` values.
    fn load(self, from: &[f32]) -> Self::F;
    /// Writes the first `LANES` values.
    fn store(self, v: Self::F, to: &mut [f32]);
    /// `a + b`.
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a - b`.
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b`.
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`.
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller value; NaN: unspecified.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// The larger value; NaN: unspecified.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// `|a|`.
    fn abs(self, a: Self::F) -> Self::F;

    /// As floats, rounded to nearest even.
    fn to_f(self, v: Self::I) -> Self::F;
    /// The nearest integers, ties to even; magnitudes above 2^22: unspecified.
    fn nearest(self, v: Self::F) -> Self::I;
    /// `2^v` for v from -126 to 127.
    fn pow2(self, v: Self::I) -> Self::F;
    /// The same value in every lane.
    fn splat_i(self, value: i32) -> Self::I;
    /// `a + b`.
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// `a - b`.
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// The low byte of each lane; values are from -128 to 127.
    fn store_i8(self, v: Self::I, to: &mut [i8]);

    /// `LANES` little-endian f32 values.
    fn f32(self, from: &[u8]) -> Self::F;
    /// `LANES` little-endian f16 values; infinities and NaN: unspecified.
    fn f16(self, from: &[u8]) -> Self::F;
    /// The same values, in the way that is quicker where few of them are subnormal: for weights, not for scales.
    #[inline(always)]
    fn f16_weights(self, from: &[u8]) -> Self::F {
        self.f16(from)
    }
    /// `LANES` little-endian bf16 values.
    fn bf16(self, from: &[u8]) -> Self::F;
    /// One unsigned byte a lane, as an integer.
    fn u8(self, from: &[u8]) -> Self::I;
    /// One signed byte a lane, as an integer.
    fn i8(self, from: &[u8]) -> Self::I;
    /// The low and the high nibble of one byte a lane.
    fn nibbles(self, from: &[u8]) -> (Self::I, Self::I);

    /// The first `4 * LANES` bytes.
    fn bytes(self, from: &[u8]) -> Self::B;
    /// Writes the first `4 * LANES` bytes.
    fn store_bytes(self, v: Self::B, to: &mut [u8]);
    /// Bits that are set in every byte of `mask` too.
    fn mask(self, v: Self::B, mask: u8) -> Self::B;
    /// Bits that are set in either.
    fn or(self, a: Self::B, b: Self::B) -> Self::B;
    /// Moves bits towards the low end where `by` is above 0, else towards the high end. Bits that leave a byte may come into
    /// its neighbour: mask them.
    fn shift<const BY: i32>(self, v: Self::B) -> Self::B;
    /// `table[byte]` for bytes from 0 to 15.
    fn lookup(self, table: &[i8; 16], v: Self::B) -> Self::B;

    /// Adds 16 products to each lane: those of its four bytes in each of `w` with four neighbouring quants of `a`'s first or
    /// second half. Bytes of `w` are unsigned and have at most `BITS` bits, 2 to 6.
    fn dot<const BITS: u32>(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I;
    /// The same with signed bytes of 8 bits.
    fn dot_signed(self, sum: Self::I, w: [Self::B; 4], a: &ActUnit, half: usize) -> Self::I;
}

/// Work written over any [`Simd`]. `run` and all that it calls must be inlined, or the instructions stay behind calls:
/// `#[inline(always)]`, and no closures.
pub trait SimdKernel {
    /// What it gives.
    type Output;

    /// Does the work.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// A set of instructions that the fast kernels exist for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // names of instruction sets
pub enum Isa {
    /// What every processor has: the definition of the arithmetic.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, VL and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON with dot products of bytes.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    /// simd128; the relaxed dot product too where the build has it.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Wasm,
}

impl Isa {
    /// Every set that this machine has, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)] // on machines with no other
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::available() {
                all.push(Self::Avx2);
            }
            if avx512::available() {
                all.push(Self::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            all.push(Self::Neon);
            if neon::dot_available() {
                all.push(Self::NeonDot);
            }
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        all.push(Self::Wasm);
        all
    }

    /// The fastest set that this machine has.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Its name, for display.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512 VNNI",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "NEON",
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => "NEON dotprod",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Wasm if cfg!(target_feature = "relaxed-simd") => "relaxed-simd",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Wasm => "simd128",
        }
    }

    /// Runs a kernel with these instructions; with the portable ones where this machine lacks them.
    pub fn run<K: SimdKernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            Self::Portable => kernel.run(portable::Portable),
            // A page downloads no kernel twice.
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Portable => wasm::run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::run(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::run(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => neon::run_dot(kernel),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Wasm => wasm::run(kernel),
        }
    }
}
