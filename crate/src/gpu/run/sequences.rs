//! The sequences that have a state on the device: the slot of each, and how many tokens it has read.

use crate::gpu::resources::Slots;

/// Positions count what callers have read. Slots may be some steps further, where steps run ahead of the caller; these are
/// rolled back before anything else reads a state.
pub struct Sequences {
    slots: Slots,
    positions: Vec<u64>,
}

impl Sequences {
    /// `count` sequences before their first token, and as many steps that can be rolled back as there are spare slots.
    pub fn new(count: usize, spare: usize) -> Self {
        Self { slots: Slots::new(count, spare), positions: vec![0; count] }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// How many slots their states need.
    pub fn slots(&self) -> usize {
        self.slots.count()
    }

    /// Tokens that a sequence has read.
    pub fn position(&self, sequence: usize) -> u64 {
        self.positions[sequence]
    }

    /// Sets the position of the state that a sequence has now.
    pub fn set_position(&mut self, sequence: usize, position: u64) {
        self.positions[sequence] = position;
    }

    /// The slot that holds a sequence's state.
    pub fn state_slot(&self, sequence: usize) -> u32 {
        self.slots.of(sequence)[0]
    }

    /// The slots that a sequence's next chunk reads and writes.
    pub fn next_chunk(&self, sequence: usize) -> [u32; 2] {
        self.slots.of(sequence)
    }

    /// A chunk of `tokens` has been run for a sequence.
    pub fn advance(&mut self, sequence: usize, tokens: usize) {
        self.slots.advance(sequence);
        self.count(sequence, tokens);
    }

    /// Counts `tokens` of a sequence as read.
    pub fn count(&mut self, sequence: usize, tokens: usize) {
        self.positions[sequence] += tokens as u64;
    }

    /// The slots of one token that moves a sequence's state in place: each invocation writes the values that it read.
    pub fn in_place(&self, sequence: usize) -> [u32; 2] {
        [self.state_slot(sequence); 2]
    }

    /// True where a step of as many sequences can leave their states as they were, and write others.
    pub fn can_roll_back(&self, sequences: usize) -> bool {
        sequences <= self.slots.spares()
    }

    /// The slots of a step that can be rolled back, which the sequence is past then.
    pub fn step(&mut self, sequence: usize) -> [u32; 2] {
        let slots = self.slots.of(sequence);
        self.slots.advance(sequence);
        slots
    }

    /// Rolls a sequence's last [`Sequences::step`] back.
    pub fn roll_back(&mut self, sequence: usize) {
        self.slots.roll_back(sequence);
    }
}
