//! One buffer that several threads write, each its own columns.

use std::marker::PhantomData;
use std::ops::Range;

/// A buffer of (rows, stride) floats whose columns are split among threads.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    start: *mut f32,
    length: usize,
    stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer stands for a `&'a mut [f32]`, which may be sent; that threads do not touch the same floats is what the
// callers of `row` promise.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Of a buffer whose rows are `stride` apart.
    pub fn new(buffer: &'a mut [f32], stride: usize) -> Self {
        Self { start: buffer.as_mut_ptr(), length: buffer.len(), stride, lifetime: PhantomData }
    }

    /// Some columns of a row.
    ///
    /// # Safety
    /// As long as the slice lives, no other slice of the same columns and row may.
    ///
    /// # Panics
    /// Where they are outside the buffer.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // that is the point, and the contract says what makes it sound
    pub unsafe fn row(&self, row: usize, columns: Range<usize>) -> &mut [f32] {
        let start = row * self.stride + columns.start;
        let length = columns.end - columns.start;
        assert!(columns.end <= self.stride && start + length <= self.length, "row {row}, columns {columns:?}");
        // SAFETY: inside the buffer, as was just seen, which lives for 'a; and the only slice of it, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) }
    }
}
