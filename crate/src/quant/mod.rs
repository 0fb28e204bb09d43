//! Quantised types: their block layouts, and the scalar decode that every faster kernel is held to.

mod blocks;
mod decode;
mod device;
mod finite;
mod integers;
mod random;
mod tile_layout;
mod types;

pub use decode::decode_row;
pub use device::{VECTOR_BYTES, device_row_bytes, to_device_rows};
pub use finite::are_finite;
pub use integers::{BlockIntegers, IQ4_STEPS};
pub use random::{RandomRows, SplitMix64};
pub use tile_layout::{GroupScales, TileLayout};
pub use types::DType;
pub(crate) use types::quantised_types;

/// Values of one unit, the piece of a row that a kernel decodes at once.
pub const UNIT_LEN: usize = 32;

/// Values of a super-block, the longest block of any type.
pub const SUPER_BLOCK_LEN: usize = 256;

/// Rows of a tile on the CPU: the lanes of its widest vector.
pub const TILE_ROWS: usize = 16;
