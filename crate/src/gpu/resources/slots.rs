//! Which of a state buffer's slots holds the state of which sequence.

use std::collections::VecDeque;

/// A chunk reads a sequence's slot and writes a spare one, which then becomes the sequence's: nothing is read that the same
/// submission writes, and as many steps as there are spares can be rolled back, because their slots still hold the states before them.
#[derive(Debug, Clone)]
pub struct Slots {
    of_sequence: Vec<u32>,
    /// The next to be written first, the state before the last step last.
    spare: VecDeque<u32>,
}

impl Slots {
    /// For a number of sequences, and of steps that can be rolled back.
    pub fn new(sequences: usize, spare: usize) -> Self {
        let first_spare = sequences as u32;
        Self { of_sequence: (0..first_spare).collect(), spare: (first_spare..).take(spare.max(1)).collect() }
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.of_sequence.len() + self.spare.len()
    }

    /// How many steps of one sequence can be rolled back, or of how many sequences one step each.
    pub fn spares(&self) -> usize {
        self.spare.len()
    }

    /// The slot that holds a sequence's state, and the slot to write the next one to.
    pub fn of(&self, sequence: usize) -> [u32; 2] {
        [self.of_sequence[sequence], self.spare[0]]
    }

    /// The sequence's next state has been written.
    pub fn advance(&mut self, sequence: usize) {
        self.spare.rotate_left(1);
        // The slot that was written is the last now; the sequence's old one takes its place.
        let last = self.spare.len() - 1;
        std::mem::swap(&mut self.of_sequence[sequence], &mut self.spare[last]);
    }

    /// Rolls the last [`Slots::advance`] of a sequence back.
    pub fn roll_back(&mut self, sequence: usize) {
        let last = self.spare.len() - 1;
        std::mem::swap(&mut self.of_sequence[sequence], &mut self.spare[last]);
        self.spare.rotate_right(1);
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn what_was_advanced_can_be_rolled_back() {
        let mut slots = Slots::new(3, 2);
        assert_eq!(slots.count(), 5);
        let before = [slots.of(0), slots.of(1), slots.of(2)];
        slots.advance(1);
        let [read, write] = slots.of(1);
        // The new state is where the step wrote, and the next step spares both it and the one before.
        assert_eq!(read, before[1][1]);
        assert!(write != read && write != before[1][0]);
        slots.advance(1);
        assert_eq!(slots.of(1)[0], write);
        slots.roll_back(1);
        slots.roll_back(1);
        assert_eq!([slots.of(0), slots.of(1), slots.of(2)], before);
    }

    #[test]
    fn a_step_of_all_can_be_rolled_back() {
        let mut slots = Slots::new(3, 3);
        let before = [slots.of(0)[0], slots.of(1)[0], slots.of(2)[0]];
        let mut written = Vec::new();
        for sequence in 0..3 {
            written.push(slots.of(sequence)[1]);
            slots.advance(sequence);
        }
        assert_eq!([slots.of(0)[0], slots.of(1)[0], slots.of(2)[0]], *written);
        assert!(written.iter().all(|slot| !before.contains(slot)));
        (0..3).rev().for_each(|sequence| slots.roll_back(sequence));
        assert_eq!([slots.of(0)[0], slots.of(1)[0], slots.of(2)[0]], before);
    }

    #[test]
    fn no_two_states_share_a_slot() {
        let mut slots = Slots::new(2, 1);
        for sequence in [0, 1, 1, 0, 1] {
            slots.advance(sequence);
            let all = [slots.of(0)[0], slots.of(1)[0], slots.of(0)[1]];
            assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
        }
    }
}
