//! How each quantised type lies in a tile: one description a type, from which packing and decode both follow.
//!
//! A tile is 16 rows. Along its columns it holds one block after the other, as the type has blocks; a block is a header, then
//! units of 32 columns. In every field the rows lie side by side, so that a lane of a vector is a row:
//!
//! - header: 16 f16 scales `d`, then 16 f16 minimums where the type has them;
//! - unit: the group scales, one byte a row and group (scale and minimum apart, or two nibbles); then the planes of the quants'
//!   low and high bits. Of `bits` bits, a plane has `bits` vectors of 64 bytes: four bytes a row, those of four neighbouring
//!   columns. A vector of the low plane of 4 bits holds columns `4 v` in its low nibbles and `16 + 4 v` in its high ones; a
//!   vector of a plane of 2 bits columns `8 s + 4 v` in bit pair `s`; one of 1 bit columns `4 s` in bit `s`.
//!
//! `value = scale * (quant - OFFSET) - minimum`, exact but for the minimum's one rounding, as in `quant::decode_row`.

use super::ROWS;
use crate::cpu::simd::Simd;
use crate::quant::{DType, IQ4_STEPS};

/// How groups of a unit are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scales {
    /// The header's scale and minimum are all.
    Header,
    /// A signed factor of `d` a group.
    Signed,
    /// A factor of `d` and one of the minimum a group, both unsigned.
    WithMinimum,
    /// The same, in the low and high nibble of one byte.
    Nibbles,
}

/// One type's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Units of a block.
    pub units: usize,
    /// Bits of the low plane: 2, 4 or 8. Of 8 bits, quants are signed.
    pub low: usize,
    /// Bits of the high plane: 0, 1 or 2.
    pub high: usize,
    /// Quants are indices into [`IQ4_STEPS`].
    pub steps: bool,
    /// What a quant is above its value.
    pub offset: i32,
    /// Groups of a unit, with a scale each: 1 or 2.
    pub groups: usize,
    /// How groups are scaled.
    pub scales: Scales,
    /// There is something to subtract.
    pub minimum: bool,
}

impl Layout {
    /// Bytes of a block's header.
    pub const fn header_bytes(&self) -> usize {
        2 * ROWS * (1 + self.minimum as usize)
    }

    /// Bytes of a unit's group scales.
    pub const fn scale_bytes(&self) -> usize {
        match self.scales {
            Scales::Header => 0,
            Scales::Signed | Scales::Nibbles => self.groups * ROWS,
            Scales::WithMinimum => 2 * self.groups * ROWS,
        }
    }

    /// Bytes of a unit.
    pub const fn unit_bytes(&self) -> usize {
        self.scale_bytes() + 64 * (self.low + self.high)
    }

    /// Bytes of a block.
    pub const fn block_bytes(&self) -> usize {
        self.header_bytes() + self.units * self.unit_bytes()
    }
}

/// A quantised type, as a type.
pub trait Format {
    /// Its fields.
    const LAYOUT: Layout;
    /// Bits of a quant; 8 are signed.
    const BITS: u32 = if Self::LAYOUT.steps { 8 } else { (Self::LAYOUT.low + Self::LAYOUT.high) as u32 };
}

const LEGACY: Layout =
    Layout { units: 1, low: 4, high: 0, steps: false, offset: 0, groups: 1, scales: Scales::Header, minimum: false };
const K: Layout = Layout { units: 8, groups: 2, scales: Scales::Signed, ..LEGACY };

/// One type a row: a marker of its name, its layout, and the function that finds a layout by number.
macro_rules! formats {
    ($($name:ident: $layout:expr;)*) => {
        $(
            /// The type of this name.
            #[allow(non_camel_case_types)] // ggml's own
            #[derive(Debug, Clone, Copy)]
            pub struct $name;
            impl Format for $name {
                const LAYOUT: Layout = $layout;
            }
        )*

        /// The layout of a type; none for those without quants.
        pub fn layout(dtype: DType) -> Option<Layout> {
            match dtype {
                DType::F32 | DType::F16 | DType::BF16 => None,
                $(DType::$name => Some($name::LAYOUT),)*
            }
        }
    };
}

formats! {
    Q4_0: Layout { offset: 8, ..LEGACY };
    Q4_1: Layout { minimum: true, ..LEGACY };
    Q5_0: Layout { high: 1, offset: 16, ..LEGACY };
    Q5_1: Layout { high: 1, minimum: true, ..LEGACY };
    Q8_0: Layout { low: 8, ..LEGACY };
    Q2_K: Layout { low: 2, scales: Scales::Nibbles, minimum: true, ..K };
    Q3_K: Layout { low: 2, high: 1, offset: 4, ..K };
    Q4_K: Layout { groups: 1, scales: Scales::WithMinimum, minimum: true, ..K };
    Q5_K: Layout { high: 1, groups: 1, scales: Scales::WithMinimum, minimum: true, ..K };
    Q6_K: Layout { high: 2, offset: 32, ..K };
    IQ4_NL: Layout { steps: true, ..LEGACY };
    IQ4_XS: Layout { steps: true, groups: 1, ..K };
}

/// Evaluates an expression in which `$F` stands for the marker of a type, or another for types without quants.
// rustfmt moves the brace that closes the match to the right, each time that it runs.
#[rustfmt::skip]
macro_rules! with_format {
    ($dtype:expr, $F:ident => $body:expr, $other:expr) => {{
        use $crate::cpu::tiles::format as f;
        use $crate::quant::DType;
        let value = match $dtype {
            DType::F32 | DType::F16 | DType::BF16 => $other,
            DType::Q4_0 => { type $F = f::Q4_0; $body }
            DType::Q4_1 => { type $F = f::Q4_1; $body }
            DType::Q5_0 => { type $F = f::Q5_0; $body }
            DType::Q5_1 => { type $F = f::Q5_1; $body }
            DType::Q8_0 => { type $F = f::Q8_0; $body }
            DType::Q2_K => { type $F = f::Q2_K; $body }
            DType::Q3_K => { type $F = f::Q3_K; $body }
            DType::Q4_K => { type $F = f::Q4_K; $body }
            DType::Q5_K => { type $F = f::Q5_K; $body }
            DType::Q6_K => { type $F = f::Q6_K; $body }
            DType::IQ4_NL => { type $F = f::IQ4_NL; $body }
            DType::IQ4_XS => { type $F = f::IQ4_XS; $body }
        };
        value
    }};
}
pub(in crate::cpu) use with_format;

/// A block's header, in lanes.
#[derive(Clone, Copy)]
pub struct Header<S: Simd> {
    d: S::F,
    minimum: S::F,
}

/// A unit, in lanes: the 32 quants of each row, and what they are scaled by and less.
#[derive(Clone, Copy)]
pub struct Unit<S: Simd> {
    /// Four neighbouring columns each.
    pub quants: [S::B; 8],
    /// One a group.
    pub scales: [S::F; 2],
    /// One a group; unspecified where the type has none.
    pub minimums: [S::F; 2],
}

/// The header of a block, of the rows from `row` of the tile.
#[inline(always)]
pub fn header<S: Simd, F: Format>(s: S, block: &[u8], row: usize) -> Header<S> {
    let d = s.f16(&block[2 * row..]);
    Header { d, minimum: if F::LAYOUT.minimum { s.f16(&block[2 * (ROWS + row)..]) } else { s.splat(0.0) } }
}

/// One unit, of the rows from `row` of the tile.
#[inline(always)]
pub fn unit<S: Simd, F: Format>(s: S, header: Header<S>, unit: &[u8], row: usize) -> Unit<S> {
    let (scales, planes) = unit.split_at(const { F::LAYOUT.scale_bytes() });
    let (low, high) = planes.split_at(const { 64 * F::LAYOUT.low });
    let (low, high) = (&low[4 * row..], if F::LAYOUT.high > 0 { &high[4 * row..] } else { high });
    let (first, minimum) = group::<S, F>(s, header, scales, 0, row);
    let (second, second_minimum) =
        if F::LAYOUT.groups == 2 { group::<S, F>(s, header, scales, 1, row) } else { (first, minimum) };
    let quants = [
        quants::<S, F, 0>(s, low, high),
        quants::<S, F, 1>(s, low, high),
        quants::<S, F, 2>(s, low, high),
        quants::<S, F, 3>(s, low, high),
        quants::<S, F, 4>(s, low, high),
        quants::<S, F, 5>(s, low, high),
        quants::<S, F, 6>(s, low, high),
        quants::<S, F, 7>(s, low, high),
    ];
    Unit { quants, scales: [first, second], minimums: [minimum, second_minimum] }
}

/// Scale and minimum of a group.
#[inline(always)]
fn group<S: Simd, F: Format>(s: S, header: Header<S>, scales: &[u8], group: usize, row: usize) -> (S::F, S::F) {
    let groups = F::LAYOUT.groups;
    let at = ROWS * group + row;
    match F::LAYOUT.scales {
        Scales::Header => (header.d, header.minimum),
        Scales::Signed => (s.mul(header.d, s.to_f(s.i8(&scales[at..]))), header.minimum),
        Scales::WithMinimum => {
            let (scale, minimum) = (s.to_f(s.u8(&scales[at..])), s.to_f(s.u8(&scales[ROWS * groups + at..])));
            (s.mul(header.d, scale), s.mul(header.minimum, minimum))
        }
        Scales::Nibbles => {
            let (scale, minimum) = s.nibbles(&scales[at..]);
            (s.mul(header.d, s.to_f(scale)), s.mul(header.minimum, s.to_f(minimum)))
        }
    }
}

/// The quants of columns `4 FOUR` and on.
#[inline(always)]
fn quants<S: Simd, F: Format, const FOUR: usize>(s: S, low: &[u8], high: &[u8]) -> S::B {
    let low = match F::LAYOUT.low {
        8 => s.bytes(&low[64 * FOUR..]),
        4 => {
            let v = s.bytes(&low[64 * (FOUR % 4)..]);
            s.mask(if FOUR < 4 { v } else { s.shift::<4>(v) }, 15)
        }
        _ => s.mask(shifted(s, s.bytes(&low[64 * (FOUR % 2)..]), 2 * (FOUR / 2) as i32), 3),
    };
    let at = F::LAYOUT.low as i32;
    let low = if F::LAYOUT.steps { s.lookup(&IQ4_STEPS, low) } else { low };
    match F::LAYOUT.high {
        0 => low,
        1 => s.or(low, s.mask(shifted(s, s.bytes(high), FOUR as i32 - at), 1 << at)),
        _ => s.or(low, s.mask(shifted(s, s.bytes(&high[64 * (FOUR % 2)..]), 2 * (FOUR / 2) as i32 - at), 3 << at)),
    }
}

/// [`Simd::shift`] by what is known only after inlining.
#[inline(always)]
fn shifted<S: Simd>(s: S, v: S::B, by: i32) -> S::B {
    match by {
        -4 => s.shift::<-4>(v),
        -3 => s.shift::<-3>(v),
        -2 => s.shift::<-2>(v),
        -1 => s.shift::<-1>(v),
        0 => v,
        1 => s.shift::<1>(v),
        2 => s.shift::<2>(v),
        3 => s.shift::<3>(v),
        4 => s.shift::<4>(v),
        5 => s.shift::<5>(v),
        _ => s.shift::<6>(v),
    }
}
