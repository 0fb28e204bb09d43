//! How a quantised type's rows lie in the CPU's tiles: which bits its quants have, and what scales them. `cpu/tiles/format.rs` says
//! where each field is.

use super::{TILE_ROWS, UNIT_LEN};

/// How groups of a unit are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupScales {
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
pub struct TileLayout {
    /// Units of a block.
    pub units: usize,
    /// Bits of the low plane: 2, 4 or 8. Of 8 bits, quants are signed.
    pub low: usize,
    /// Bits of the high plane: 0, 1 or 2.
    pub high: usize,
    /// Quants are indices into [`super::IQ4_STEPS`].
    pub steps: bool,
    /// What a quant is above its value.
    pub offset: i32,
    /// Groups of a unit, with a scale each: 1 or 2.
    pub groups: usize,
    /// How groups are scaled.
    pub scales: GroupScales,
    /// There is something to subtract.
    pub minimum: bool,
}

impl TileLayout {
    /// Values of a block.
    pub const fn block_len(&self) -> usize {
        self.units * UNIT_LEN
    }

    /// Bytes of a block's header.
    pub const fn header_bytes(&self) -> usize {
        2 * TILE_ROWS * (1 + self.minimum as usize)
    }

    /// Bytes of a unit's group scales.
    pub const fn scale_bytes(&self) -> usize {
        match self.scales {
            GroupScales::Header => 0,
            GroupScales::Signed | GroupScales::Nibbles => self.groups * TILE_ROWS,
            GroupScales::WithMinimum => 2 * self.groups * TILE_ROWS,
        }
    }

    /// Bytes of a unit.
    pub const fn unit_bytes(&self) -> usize {
        self.scale_bytes() + TILE_ROWS * UNIT_LEN / 8 * (self.low + self.high)
    }

    /// Bytes of a block.
    pub const fn block_bytes(&self) -> usize {
        self.header_bytes() + self.units * self.unit_bytes()
    }
}
