//! Block layouts as they lie in a file: byte arrays in the order of `ggml-common.h`, so that any offset is aligned.
//!
//! Shared notation: `d` and `m` (or `dmin`) are little-endian f16 scale and minimum, `qs` the low bits of the quants,
//! `qh` or `hmask` their high bits. A super-block of 256 values holds groups of 16 or 32 values with a small integer
//! scale each.

use bytemuck::{Pod, Zeroable};

/// 16 bytes hold 32 nibbles: byte `j` has value `j` in its low half and value `j + 16` in its high half.
pub(super) type Nibbles32 = [u8; 16];

/// `value = d * (q - 8)`, 4-bit `q`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4_0 {
    pub d: [u8; 2],
    pub qs: Nibbles32,
}

/// `value = d * q + m`, 4-bit `q`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4_1 {
    pub d: [u8; 2],
    pub m: [u8; 2],
    pub qs: Nibbles32,
}

/// `value = d * (q - 16)`, 5-bit `q`: bit `j` of `qh` (little-endian) is the top bit of value `j`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_0 {
    pub d: [u8; 2],
    pub qh: [u8; 4],
    pub qs: Nibbles32,
}

/// `value = d * q + m`, 5-bit `q` as in [`Q5_0`].
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_1 {
    pub d: [u8; 2],
    pub m: [u8; 2],
    pub qh: [u8; 4],
    pub qs: Nibbles32,
}

/// `value = d * q`, signed 8-bit `q`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q8_0 {
    pub d: [u8; 2],
    pub qs: [i8; 32],
}

/// `value = d * scale * q - dmin * min`, 2-bit `q`, 16 groups of 16 values.
///
/// `scales[g]` is the scale of group `g` in its low nibble and the minimum in its high one. `qs` is two runs of 32
/// bytes, one for each half of the super-block; value `32 s + j` of a half is bits `2 s, 2 s + 1` of byte `j`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q2_K {
    pub scales: [u8; 16],
    pub qs: [u8; 64],
    pub d: [u8; 2],
    pub dmin: [u8; 2],
}

/// `value = d * (scale - 32) * (q - 4)`, 3-bit `q`, 6-bit scale, 16 groups of 16 values.
///
/// `qs` is laid out as in [`Q2_K`]; value `32 s + j` of the super-block has its top bit in bit `s` of `hmask[j]`.
/// Group `g` keeps the low 4 bits of its scale in nibble `g / 8` of `scales[g % 8]` and the high 2 bits in bit pair
/// `g / 4` of `scales[8 + g % 4]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q3_K {
    pub hmask: [u8; 32],
    pub qs: [u8; 64],
    pub scales: [u8; 12],
    pub d: [u8; 2],
}

/// The 6-bit scales and minimums of 8 groups in 12 bytes, as [`Q4_K`] and [`Q5_K`] keep them.
///
/// Groups 0 to 3: the scale is the low 6 bits of byte `s`, the minimum those of byte `s + 4`. Groups 4 to 7: their low
/// nibbles are the low (scale) and high (minimum) half of byte `s + 4`, their top 2 bits the ones that groups 0 to 3
/// left free in bytes `s - 4` (scale) and `s` (minimum).
pub(super) type ScalesAndMins = [u8; 12];

/// `value = d * scale * q - dmin * min`, 4-bit `q`, 8 groups of 32 values.
///
/// `qs` is four runs of 32 bytes: run `r` has group `2 r` in its low nibbles and group `2 r + 1` in its high ones.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4_K {
    pub d: [u8; 2],
    pub dmin: [u8; 2],
    pub scales: ScalesAndMins,
    pub qs: [u8; 128],
}

/// `value = d * scale * q - dmin * min`, 5-bit `q`: as [`Q4_K`], with the top bit of value `j` of group `s` in bit `s`
/// of `qh[j]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_K {
    pub d: [u8; 2],
    pub dmin: [u8; 2],
    pub scales: ScalesAndMins,
    pub qh: [u8; 32],
    pub qs: [u8; 128],
}

/// `value = d * scale * (q - 32)`, 6-bit `q`, signed 8-bit scale, 16 groups of 16 values.
///
/// Each half of the super-block has 64 bytes of `ql` (values 0 to 63 of the half in the low nibbles, 64 to 127 in the
/// high ones) and 32 bytes of `qh` (value `32 s + j` of the half has its top bits in bits `2 s, 2 s + 1` of byte `j`).
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q6_K {
    pub ql: [u8; 128],
    pub qh: [u8; 64],
    pub scales: [i8; 16],
    pub d: [u8; 2],
}

/// `value = d * IQ4_VALUES[q]`, 4-bit `q`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct IQ4_NL {
    pub d: [u8; 2],
    pub qs: Nibbles32,
}

/// `value = d * (scale - 32) * IQ4_VALUES[q]`, 4-bit `q`, 6-bit scale, 8 groups of 32 values.
///
/// Group `s` has the low 4 bits of its scale in nibble `s % 2` of `scales_l[s / 2]` and the high 2 bits in bit pair `s`
/// of `scales_h` (little-endian u16).
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct IQ4_XS {
    pub d: [u8; 2],
    pub scales_h: [u8; 2],
    pub scales_l: [u8; 4],
    pub qs: [Nibbles32; 8],
}

/// The uneven steps that both IQ4 types share: dense near zero, where most weights are.
/// Source: `kvalues_iq4nl` of `ggml-common.h`.
pub(super) const IQ4_VALUES: [f32; 16] =
    [-127., -104., -83., -65., -49., -35., -22., -10., 1., 13., 25., 38., 53., 69., 89., 113.];
