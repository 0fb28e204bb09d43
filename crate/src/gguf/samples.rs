//! Short ranges of a model's files that are asked for again once all of it has been read: they are kept as they pass, since to read one
//! alone costs a page's store as much as a whole chunk.

use std::cell::RefCell;
use std::ops::Range;

#[derive(Default)]
pub(super) struct Samples(RefCell<Vec<Sample>>);

struct Sample {
    part: usize,
    /// Of the part's bytes.
    range: Range<u64>,
    /// Once it has been read.
    bytes: Option<Vec<u8>>,
}

impl Samples {
    /// Asks for a range to be kept.
    pub fn add(&self, part: usize, range: Range<u64>) {
        self.0.borrow_mut().push(Sample { part, range, bytes: None });
    }

    /// Bytes of a part, from `start` on, have been read.
    pub fn pass(&self, part: usize, start: u64, bytes: &[u8]) {
        let end = start + bytes.len() as u64;
        for sample in self.0.borrow_mut().iter_mut() {
            let inside = sample.part == part && start <= sample.range.start && sample.range.end <= end;
            if inside && sample.bytes.is_none() {
                let (from, to) = (sample.range.start - start, sample.range.end - start);
                sample.bytes = Some(bytes[from as usize..to as usize].to_vec());
            }
        }
    }

    /// A range that has been kept.
    pub fn get(&self, part: usize, range: &Range<u64>) -> Option<Vec<u8>> {
        let samples = self.0.borrow();
        let found = samples.iter().find(|sample| sample.part == part && sample.range == *range);
        found.and_then(|sample| sample.bytes.clone())
    }
}
