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

use crate::cpu::simd::Simd;
use crate::quant::{DType, GroupScales, IQ4_STEPS, TILE_ROWS, TileLayout, quantised_types};

/// A quantised type, as a type.
pub trait Format {
    /// Its fields.
    const LAYOUT: TileLayout;
    /// Bits of a quant; 8 are signed.
    const BITS: u32 = if Self::LAYOUT.steps { 8 } else { (Self::LAYOUT.low + Self::LAYOUT.high) as u32 };
}

macro_rules! markers {
    ({} $($name:ident)*) => {
        $(
            /// The type of this name.
            #[allow(non_camel_case_types)] // ggml's own
            #[derive(Debug, Clone, Copy)]
            pub struct $name;
            impl Format for $name {
                const LAYOUT: TileLayout = DType::$name.layout_of_quants();
            }
        )*
    };
}
quantised_types!(markers {});

/// Evaluates an expression in which `$F` stands for the marker of a type, or another for types without quants.
macro_rules! with_format {
    ($dtype:expr, $F:ident => $body:expr, $other:expr) => {
        $crate::quant::quantised_types!($crate::cpu::tiles::format::match_format { $dtype, $F, $body, $other })
    };
}

macro_rules! match_format {
    ({ $dtype:expr, $F:ident, $body:expr, $other:expr } $($name:ident)*) => {{
        use $crate::quant::DType;
        match $dtype {
            DType::F32 | DType::F16 | DType::BF16 => $other,
            $(DType::$name => {
                type $F = $crate::cpu::tiles::format::$name;
                $body
            })*
        }
    }};
}
pub(in crate::cpu) use match_format;
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
    Header { d, minimum: if F::LAYOUT.minimum { s.f16(&block[2 * (TILE_ROWS + row)..]) } else { s.splat(0.0) } }
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
    let at = TILE_ROWS * group + row;
    match F::LAYOUT.scales {
        GroupScales::Header => (header.d, header.minimum),
        GroupScales::Signed => (s.mul(header.d, s.to_f(s.i8(&scales[at..]))), header.minimum),
        GroupScales::WithMinimum => {
            let (scale, minimum) = (s.to_f(s.u8(&scales[at..])), s.to_f(s.u8(&scales[TILE_ROWS * groups + at..])));
            (s.mul(header.d, scale), s.mul(header.minimum, minimum))
        }
        GroupScales::Nibbles => {
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
