//! Packs rows into tiles. `format.rs` says how they lie there.

use super::ROWS;
use crate::quant::{BlockIntegers, DType, GroupScales, TileLayout, UNIT_LEN};

/// Appends one tile. `rows` are at most 16 whole rows, as a file has them; those that are missing become zero.
pub fn tile(dtype: DType, columns: usize, rows: &[u8], out: &mut Vec<u8>) {
    let (blocks, block_bytes) = (columns / dtype.block_len(), dtype.block_bytes());
    let block =
        |row: usize, block: usize| rows.get((row * blocks + block) * block_bytes..).and_then(|r| r.get(..block_bytes));
    let Some(layout) = dtype.tile_layout() else {
        let zero = [0; 4];
        for column in 0..columns {
            (0..ROWS).for_each(|row| out.extend_from_slice(block(row, column).unwrap_or(&zero[..block_bytes])));
        }
        return;
    };
    let mut integers = [BlockIntegers::ZERO; ROWS];
    for b in 0..blocks {
        for (row, integers) in integers.iter_mut().enumerate() {
            *integers = block(row, b).map_or(BlockIntegers::ZERO, |block| BlockIntegers::new(dtype, block));
        }
        append(&layout, &integers, out);
    }
}

fn append(layout: &TileLayout, rows: &[BlockIntegers; ROWS], out: &mut Vec<u8>) {
    rows.iter().for_each(|row| out.extend(row.d));
    if layout.minimum {
        rows.iter().for_each(|row| out.extend(row.minimum));
    }
    for unit in 0..layout.units {
        let groups = layout.groups * unit..layout.groups * (unit + 1);
        match layout.scales {
            GroupScales::Header => {}
            GroupScales::Signed => groups.for_each(|g| out.extend(rows.iter().map(|row| row.scales[g]))),
            GroupScales::WithMinimum => {
                groups.clone().for_each(|g| out.extend(rows.iter().map(|row| row.scales[g])));
                groups.for_each(|g| out.extend(rows.iter().map(|row| row.minimums[g])));
            }
            GroupScales::Nibbles => {
                groups.for_each(|g| out.extend(rows.iter().map(|row| row.scales[g] | row.minimums[g] << 4)));
            }
        }
        plane(layout.low, 0, unit, rows, out);
        plane(layout.high, layout.low, unit, rows, out);
    }
}

/// The bits of a unit's quants from bit `from`, `bits` of each. Four columns at a time: they are one word here and there.
fn plane(bits: usize, from: usize, unit: usize, rows: &[BlockIntegers; ROWS], out: &mut Vec<u8>) {
    const EVERY_BYTE: u32 = 0x0101_0101;
    let mask = EVERY_BYTE * ((1 << bits) - 1);
    let start = out.len();
    out.resize(start + 64 * bits, 0);
    let (words, _) = out[start..].as_chunks_mut::<4>();
    for (row, integers) in rows.iter().enumerate() {
        let (fours, _) = integers.quants[UNIT_LEN * unit..][..UNIT_LEN].as_chunks::<4>();
        for vector in 0..bits {
            // Each vector shares its bytes among 8 / bits fours of columns.
            let share = |n: usize| (u32::from_le_bytes(fours[vector + bits * n]) >> from & mask) << (bits * n);
            let word = (0..8 / bits).fold(0, |word, n| word | share(n));
            words[ROWS * vector + row] = word.to_le_bytes();
        }
    }
}
