//! Every type that a file's tensors have, a row each: whatever else the engine does with a type follows from its row.

use std::mem::offset_of;
use std::ops::Range;

use super::blocks;
use super::decode::{Block, decode_bf16, decode_blocks, decode_f16, decode_f32};
use super::integers::{BlockIntegers, Integers, integers_of};
use super::random::{Scale, Scaled, set_scale_of};
use super::tile_layout::{GroupScales, TileLayout};

/// A tensor's element type, with ggml's numbering, names and block layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, non_camel_case_types)] // the names are ggml's own
pub enum DType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
}

/// Calls the macro at a path with arguments of its own, and after them the names of all types that have quants.
macro_rules! quantised_types {
    ($then:path { $($own:tt)* }) => {
        $then! { { $($own)* } Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS }
    };
}
pub(crate) use quantised_types;

/// All about a type.
pub(super) struct Type {
    dtype: DType,
    /// Its number in a file.
    ggml: u32,
    name: &'static str,
    block_len: usize,
    block_bytes: usize,
    /// Decodes whole blocks: (blocks, block_bytes) into (blocks, block_len).
    pub decode: fn(&[u8], &mut [f32]),
    /// None for types whose values are floats, each a block of its own.
    pub quants: Option<Quants>,
}

/// What types with quants have besides.
pub(super) struct Quants {
    /// The planes of a row on a GPU in their order: which bytes of a block each of them gathers. See `device.rs`.
    pub planes: &'static [Range<usize>],
    /// Where a block has f16 numbers: its scale, and its minimum.
    pub scales: &'static [usize],
    /// How rows lie in the CPU's tiles.
    pub layout: TileLayout,
    /// Takes a block apart.
    pub integers: fn(&[u8]) -> BlockIntegers,
    /// Makes a block of random bits one of finite values around zero.
    pub set_scale: fn(&mut [u8], Scale),
}

const fn floats(dtype: DType, ggml: u32, name: &'static str, bytes: usize, decode: fn(&[u8], &mut [f32])) -> Type {
    Type { dtype, ggml, name, block_len: 1, block_bytes: bytes, decode, quants: None }
}

/// The columns that follow from a block's struct, whose size must be the block's.
const fn quantised<const LEN: usize, B: Block<LEN> + Integers + Scaled>(
    (dtype, ggml, name): (DType, u32, &'static str),
    block_bytes: usize,
    planes: &'static [Range<usize>],
    scales: &'static [usize],
    layout: TileLayout,
) -> Type {
    assert!(size_of::<B>() == block_bytes && align_of::<B>() == 1, "a block's struct is not as long as the block");
    assert!(layout.block_len() == LEN, "a block in tiles has not as many values as in a file");
    let quants = Quants { planes, scales, layout, integers: integers_of::<B>, set_scale: set_scale_of::<B> };
    Type { dtype, ggml, name, block_len: LEN, block_bytes, decode: decode_blocks::<LEN, B>, quants: Some(quants) }
}

macro_rules! quantised {
    ($name:ident = $ggml:literal, $len:literal in $bytes:literal, [$($plane:expr),+], [$($scale:ident),+], $layout:expr) => {
        quantised::<$len, blocks::$name>(
            (DType::$name, $ggml, stringify!($name)),
            $bytes,
            &[$($plane),+],
            &[$(offset_of!(blocks::$name, $scale)),+],
            $layout,
        )
    };
}

/// Blocks of one unit and one scale.
const UNIT: TileLayout = TileLayout {
    units: 1,
    low: 4,
    high: 0,
    steps: false,
    offset: 0,
    groups: 1,
    scales: GroupScales::Header,
    minimum: false,
};

/// Super-blocks.
const SUPER: TileLayout = TileLayout { units: 8, groups: 2, scales: GroupScales::Signed, ..UNIT };

/// Super-blocks of groups of 32 with a minimum each.
const SUPER_32: TileLayout = TileLayout { groups: 1, scales: GroupScales::WithMinimum, minimum: true, ..SUPER };

/// One row a type, in the order of the enum: number in the file, values and bytes of a block, planes on a GPU, the fields that are
/// f16, and the CPU's tiles.
/// Source of the first columns: `ggml.h` (`enum ggml_type`) and `ggml-common.h` (block structs) of llama.cpp.
#[rustfmt::skip]
static TYPES: [Type; 15] = [
    floats(DType::F32, 0, "F32", 4, decode_f32),
    floats(DType::F16, 1, "F16", 2, decode_f16),
    floats(DType::BF16, 30, "BF16", 2, decode_bf16),
    // qs; d
    quantised!(Q4_0 = 2, 32 in 18, [2..18, 0..2], [d], TileLayout { offset: 8, ..UNIT }),
    // qs; d, m
    quantised!(Q4_1 = 3, 32 in 20, [4..20, 0..4], [d, m], TileLayout { minimum: true, ..UNIT }),
    // qs; qh; d
    quantised!(Q5_0 = 6, 32 in 22, [6..22, 2..6, 0..2], [d], TileLayout { high: 1, offset: 16, ..UNIT }),
    // qs; d, m, qh
    quantised!(Q5_1 = 7, 32 in 24, [8..24, 0..8], [d, m], TileLayout { high: 1, minimum: true, ..UNIT }),
    // qs; d
    quantised!(Q8_0 = 8, 32 in 34, [2..34, 0..2], [d], TileLayout { low: 8, ..UNIT }),
    // qs; scales; d, dmin
    quantised!(Q2_K = 10, 256 in 84, [16..80, 0..16, 80..84], [d, dmin],
        TileLayout { low: 2, scales: GroupScales::Nibbles, minimum: true, ..SUPER }),
    // qs; hmask; scales, d
    quantised!(Q3_K = 11, 256 in 110, [32..96, 0..32, 96..110], [d], TileLayout { low: 2, high: 1, offset: 4, ..SUPER }),
    // qs; d, dmin, scales
    quantised!(Q4_K = 12, 256 in 144, [16..144, 0..16], [d, dmin], SUPER_32),
    // qs; qh; d, dmin, scales
    quantised!(Q5_K = 13, 256 in 176, [48..176, 16..48, 0..16], [d, dmin], TileLayout { high: 1, ..SUPER_32 }),
    // ql; qh; scales; d
    quantised!(Q6_K = 14, 256 in 210, [0..128, 128..192, 192..208, 208..210], [d], TileLayout { high: 2, offset: 32, ..SUPER }),
    // qs; d
    quantised!(IQ4_NL = 20, 32 in 18, [2..18, 0..2], [d], TileLayout { steps: true, ..UNIT }),
    // qs; d, scales_h, scales_l
    quantised!(IQ4_XS = 23, 256 in 136, [8..136, 0..8], [d], TileLayout { steps: true, groups: 1, ..SUPER }),
];

impl DType {
    /// Every type, in the order of the table.
    pub fn all() -> impl Iterator<Item = DType> {
        TYPES.iter().map(|row| row.dtype)
    }

    /// The type with this number in a GGUF file.
    pub fn from_ggml(number: u32) -> Option<Self> {
        TYPES.iter().find(|row| row.ggml == number).map(|row| row.dtype)
    }

    /// The type's number in a GGUF file.
    pub fn ggml(self) -> u32 {
        self.row().ggml
    }

    pub(super) const fn row(self) -> &'static Type {
        &TYPES[self as usize]
    }

    /// ggml's name, such as `Q4_K`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Number of values in one block.
    pub fn block_len(self) -> usize {
        self.row().block_len
    }

    /// Bytes of one block in a file.
    pub fn block_bytes(self) -> usize {
        self.row().block_bytes
    }

    /// True for types whose blocks have quants and scales, not just values.
    pub fn has_quants(self) -> bool {
        self.row().quants.is_some()
    }

    /// How its rows lie in the CPU's tiles; none for types without quants.
    pub const fn tile_layout(self) -> Option<TileLayout> {
        match &self.row().quants {
            Some(quants) => Some(quants.layout),
            None => None,
        }
    }

    /// The same of a type that has them.
    pub(crate) const fn layout_of_quants(self) -> TileLayout {
        assert!(self.tile_layout().is_some(), "only types with quants lie in tiles of planes");
        match self.tile_layout() {
            Some(layout) => layout,
            None => UNIT,
        }
    }

    /// Bytes of one row of `columns` values, or `None` where the columns are not whole blocks.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns.is_multiple_of(self.block_len()).then(|| columns / self.block_len() * self.block_bytes())
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{SplitMix64, UNIT_LEN, decode_row};

    macro_rules! names {
        ({} $($name:ident)*) => { const QUANTISED: &[DType] = &[$(DType::$name),*]; };
    }
    quantised_types!(names {});

    /// The rows lie where the enum looks for them, and those with quants are the ones that kernels are made for.
    #[test]
    fn every_type_has_its_row() {
        for (i, dtype) in DType::all().enumerate() {
            assert_eq!((dtype as usize, dtype.name()), (i, format!("{dtype:?}").as_str()));
            assert_eq!(DType::from_ggml(dtype.ggml()), Some(dtype));
        }
        let quantised: Vec<_> = DType::all().filter(|dtype| dtype.has_quants()).collect();
        assert_eq!(quantised, QUANTISED);
        assert_eq!(DType::all().count(), quantised.len() + 3);
    }

    /// A block's integers, put together as its layout says, are what decoding gives; its f16 fields are its only ones.
    #[test]
    fn the_columns_of_a_row_agree() {
        let mut random = SplitMix64::new(3);
        for (dtype, quants) in DType::all().filter_map(|dtype| Some((dtype, dtype.row().quants.as_ref()?))) {
            let mut block = vec![0; dtype.block_bytes()];
            random.fill(&mut block);
            (quants.set_scale)(&mut block, Scale { size: 0.5, negative: false });
            let mut values = vec![0.0; dtype.block_len()];
            decode_row(dtype, &block, &mut values);
            let BlockIntegers { d, minimum, scales, minimums, quants: integers } = (quants.integers)(&block);
            let [d, minimum] = [d, minimum].map(|half| half::f16::from_le_bytes(half).to_f32());
            let TileLayout { offset, groups, scales: kind, steps, low, .. } = quants.layout;
            for (i, value) in values.iter().enumerate() {
                let group = i * groups / UNIT_LEN;
                let (scale, minimum) = match kind {
                    GroupScales::Header => (d, minimum),
                    GroupScales::Signed => (d * f32::from(scales[group] as i8), 0.0),
                    _ => (d * f32::from(scales[group]), minimum * f32::from(minimums[group])),
                };
                let quant = match (steps, low) {
                    (true, _) => i32::from(crate::quant::IQ4_STEPS[usize::from(integers[i])]),
                    (_, 8) => i32::from(integers[i] as i8),
                    _ => i32::from(integers[i]),
                };
                let expected = scale * (quant - offset) as f32 - minimum;
                assert_eq!(expected, *value, "{dtype}, value {i}");
            }
            assert_eq!(quants.scales.len(), 1 + usize::from(quants.layout.minimum), "{dtype}");
            assert_eq!(&block[quants.scales[0]..][..2], half::f16::from_f32(0.5).to_le_bytes(), "{dtype}");
        }
    }
}
