//! Which of a state buffer's slots holds the state of which sequence.

/// A chunk reads a sequence's slot and writes the spare one, which then becomes the sequence's: nothing is read that the same
/// submission writes, and a step that should not have been is undone by not taking the new slot.
#[derive(Debug, Clone)]
pub struct Slots {
    of_sequence: Vec<u32>,
    spare: u32,
}

impl Slots {
    /// For so many sequences.
    pub fn new(sequences: usize) -> Self {
        Self { of_sequence: (0..sequences as u32).collect(), spare: sequences as u32 }
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.of_sequence.len() + 1
    }

    /// The slot that holds a sequence's state, and the slot to write the next one to.
    pub fn of(&self, sequence: usize) -> [u32; 2] {
        [self.of_sequence[sequence], self.spare]
    }

    /// The sequence's next state has been written: the slots change places. Once more, and that is undone.
    pub fn advance(&mut self, sequence: usize) {
        std::mem::swap(&mut self.of_sequence[sequence], &mut self.spare);
    }
}
