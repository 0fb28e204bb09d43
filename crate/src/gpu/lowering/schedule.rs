//! Which dispatches of a chunk run beside each other: what they read and write says so, whatever the order of the plan's steps.

use std::collections::HashMap;
use std::hash::Hash;

/// What a dispatch does with buffers, and with the GPU.
pub struct Access<B> {
    /// Buffers that it reads.
    pub reads: Vec<B>,
    /// Buffers that it writes, or reads and writes.
    pub writes: Vec<B>,
    /// It takes long and leaves most of a large GPU idle: what can wait for it runs beside it.
    pub leaves_room: bool,
}

/// Levels of the dispatches that read and write a buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    read: Option<usize>,
    written: Option<usize>,
}

/// Some dispatches in levels, first to last: those of a level, by their numbers, may run in any order or at once, since none of them
/// touches what another one writes. Each comes as early as it can, or beside a later one that leaves room.
pub fn levels<B: Copy + Eq + Hash>(dispatches: &[Access<B>]) -> Vec<Vec<usize>> {
    let mut level_of = earliest(dispatches);
    fill_room(dispatches, &mut level_of);
    let mut levels = vec![Vec::new(); level_of.iter().max().map_or(0, |last| last + 1)];
    level_of.iter().enumerate().for_each(|(number, &level)| levels[level].push(number));
    levels.retain(|level| !level.is_empty());
    // What takes longest begins first.
    levels.iter_mut().for_each(|level| level.sort_by_key(|&number| !dispatches[number].leaves_room));
    levels
}

/// The first level of each dispatch in which all that it reads was written, and nothing that it writes is still to be read.
fn earliest<B: Copy + Eq + Hash>(dispatches: &[Access<B>]) -> Vec<usize> {
    let mut used: HashMap<B, Used> = HashMap::new();
    let level_of = |Access { reads, writes, .. }: &Access<B>| {
        let of = |buffer| used.get(buffer).copied().unwrap_or_default();
        let before_reading = reads.iter().map(|buffer| of(buffer).written);
        let before_writing = writes.iter().flat_map(|buffer| [of(buffer).read, of(buffer).written]);
        let level = before_reading.chain(before_writing).flatten().max().map_or(0, |last| last + 1);
        for &buffer in reads {
            let used = used.entry(buffer).or_default();
            used.read = used.read.max(Some(level));
        }
        for &buffer in writes {
            used.entry(buffer).or_default().written = Some(level);
        }
        level
    };
    dispatches.iter().map(level_of).collect()
}

/// Moves dispatches to a later level with one that leaves room, where nothing needs them before.
fn fill_room<B: Copy + Eq + Hash>(dispatches: &[Access<B>], level_of: &mut [usize]) {
    let with_room: Vec<usize> = dispatches
        .iter()
        .zip(&*level_of)
        .filter(|(dispatch, _)| dispatch.leaves_room)
        .map(|(_, &level)| level)
        .collect();
    let mut needed: HashMap<B, Used> = HashMap::new();
    for (Access { reads, writes, .. }, level) in dispatches.iter().zip(level_of).rev() {
        let of = |buffer| needed.get(buffer).copied().unwrap_or_default();
        let after_reading = reads.iter().map(|buffer| of(buffer).written);
        let after_writing = writes.iter().flat_map(|buffer| [of(buffer).read, of(buffer).written]);
        // What nothing needs leaves a result, and keeps its place.
        let end = after_reading.chain(after_writing).flatten().min().unwrap_or(0);
        *level = with_room.iter().copied().find(|&other| (*level + 1..end).contains(&other)).unwrap_or(*level);
        for &buffer in reads {
            let needed = needed.entry(buffer).or_default();
            needed.read = Some(needed.read.map_or(*level, |other| other.min(*level)));
        }
        for &buffer in writes {
            needed.entry(buffer).or_default().written = Some(*level);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Access, levels};

    fn access(reads: &[u8], writes: &[u8], leaves_room: bool) -> Access<u8> {
        Access { reads: reads.to_vec(), writes: writes.to_vec(), leaves_room }
    }

    #[test]
    fn what_needs_nothing_of_each_other_shares_a_level() {
        // Three products of one input, and what takes all of them.
        let all =
            [access(&[], &[0], false), access(&[0], &[1], false), access(&[0], &[2], false), access(&[0], &[3], false)];
        let all = all.into_iter().chain([access(&[1, 2, 3], &[0], false)]).collect::<Vec<_>>();
        assert_eq!(levels(&all), [vec![0], vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn what_can_wait_runs_beside_what_leaves_room() {
        // 1 is wanted by 3 alone, as 2 is, which takes long.
        let all = [access(&[], &[0], false), access(&[0], &[1], false), access(&[0], &[2], false)];
        let more = [access(&[2], &[3], true), access(&[1, 3], &[4], false)];
        assert_eq!(levels(&all.into_iter().chain(more).collect::<Vec<_>>()), [vec![0], vec![2], vec![3, 1], vec![4]]);
    }

    /// Leaves in each buffer a number that tells all that went into it.
    fn run(dispatches: &[Access<u8>], order: impl Iterator<Item = usize>) -> [u64; 6] {
        let mut buffers = [1; 6];
        for number in order {
            let Access { reads, writes, .. } = &dispatches[number];
            let read = reads.iter().chain(writes).fold(number as u64 + 1, |sum, &buffer| {
                sum.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) ^ buffers[usize::from(buffer)]
            });
            writes.iter().enumerate().for_each(|(index, &buffer)| buffers[usize::from(buffer)] = read + index as u64);
        }
        buffers
    }

    proptest! {
        #[test]
        fn levels_compute_what_the_plan_does(
            drawn in prop::collection::vec((prop::collection::vec(0u8..6, 0..4), prop::collection::vec(0u8..6, 1..3), any::<bool>()), 0..24),
        ) {
            let dispatches: Vec<_> = drawn.iter().map(|(reads, writes, room)| access(reads, writes, *room)).collect();
            let levels = levels(&dispatches);
            let expected = run(&dispatches, 0..dispatches.len());
            prop_assert_eq!(run(&dispatches, levels.iter().flatten().copied()), expected);
            prop_assert_eq!(run(&dispatches, levels.iter().flat_map(|level| level.iter().rev()).copied()), expected);
            prop_assert_eq!(levels.iter().map(Vec::len).sum::<usize>(), dispatches.len());
        }
    }
}
