//! One buffer that several threads write, each its own columns: the only place of the kernels with raw pointers.

use std::marker::PhantomData;
use std::ops::Range;

use crate::cpu::pool::share;
use crate::cpu::tiles::ROWS;

/// Some columns of every row of a (rows, stride) buffer, to which nothing else has access: the writable counterpart of
/// [`Columns`](crate::cpu::kernels::Columns). Columns are numbered as in the whole buffer.
///
/// Views come from one that takes the whole buffer and are only ever divided, so no two of them overlap, and each may be sent to
/// a thread of its own:
///
/// ```
/// use web_mamba::cpu::vectorised::ColumnsMut;
///
/// let mut buffer = [0.0; 8];
/// let (mut left, mut right) = ColumnsMut::new(&mut buffer, 4).split_at(1);
/// std::thread::scope(|scope| {
///     scope.spawn(|| left.row(0, 0..1).fill(1.0));
///     scope.spawn(|| right.row(1, 2..4).fill(2.0));
/// });
/// assert_eq!(buffer, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
/// ```
///
/// What would give two threads the same floats does not compile: a view is not copied,
///
/// ```compile_fail,E0382
/// # use web_mamba::cpu::vectorised::ColumnsMut;
/// # let mut buffer = [0.0; 8];
/// let view = ColumnsMut::new(&mut buffer, 4);
/// let (mut same, mut again) = (view, view);
/// same.row(0, 0..4).fill(1.0);
/// again.row(0, 0..4).fill(2.0);
/// ```
///
/// is gone once it is divided,
///
/// ```compile_fail,E0382
/// # use web_mamba::cpu::vectorised::ColumnsMut;
/// # let mut buffer = [0.0; 8];
/// let mut view = ColumnsMut::new(&mut buffer, 4);
/// let (mut left, _) = view.split_at(2);
/// view.row(0, 0..4).fill(1.0);
/// left.row(0, 0..2).fill(2.0);
/// ```
///
/// is the only one of its buffer, which it borrows,
///
/// ```compile_fail,E0499
/// # use web_mamba::cpu::vectorised::ColumnsMut;
/// # let mut buffer = [0.0; 8];
/// let mut view = ColumnsMut::new(&mut buffer, 4);
/// let mut other = ColumnsMut::new(&mut buffer, 4);
/// view.row(0, 0..4).fill(1.0);
/// other.row(0, 0..4).fill(2.0);
/// ```
///
/// and lends one slice at a time.
///
/// ```compile_fail,E0499
/// # use web_mamba::cpu::vectorised::ColumnsMut;
/// # let mut buffer = [0.0; 8];
/// let mut view = ColumnsMut::new(&mut buffer, 4);
/// let (one, two) = (view.row(0, 0..4), view.row(0, 0..4));
/// one.copy_from_slice(two);
/// ```
#[derive(Debug)]
pub struct ColumnsMut<'a> {
    /// Of the whole buffer.
    start: *mut f32,
    rows: usize,
    stride: usize,
    columns: Range<usize>,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a view stands for `&'a mut` of its floats, which may be sent: no other view has any of them (see `split_at`).
unsafe impl Send for ColumnsMut<'_> {}
// SAFETY: a shared view only reads, as `& &mut [f32]` does.
unsafe impl Sync for ColumnsMut<'_> {}

impl<'a> ColumnsMut<'a> {
    /// All columns of a buffer whose rows are `stride` apart. A last row that is not whole is left out.
    pub fn new(buffer: &'a mut [f32], stride: usize) -> Self {
        let rows = buffer.len().checked_div(stride).unwrap_or(0);
        Self { start: buffer.as_mut_ptr(), rows, stride, columns: 0..stride, lifetime: PhantomData }
    }

    /// Which columns these are.
    #[inline(always)]
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Those before a column, and the others.
    ///
    /// # Panics
    /// Where the column is neither one of these nor their end.
    pub fn split_at(self, column: usize) -> (Self, Self) {
        let Self { start, rows, stride, columns, lifetime } = self;
        assert!(columns.start <= column && column <= columns.end, "columns {columns:?} split at {column}");
        // The only place that makes two views of one, and it takes that: each column is in one of the two.
        let part = |columns| Self { start, rows, stride, columns, lifetime };
        (part(columns.start..column), part(column..columns.end))
    }

    /// So many parts, one after the other, of nearly equal numbers of whole tiles: what each thread of a pool computes.
    ///
    /// # Panics
    /// Where these are not all columns of the buffer.
    pub fn split_in_tiles(self, parts: usize) -> Vec<Self> {
        self.split_in_groups(ROWS, parts)
    }

    /// The same of whole groups of so many columns.
    ///
    /// # Panics
    /// Where these are not all columns of the buffer.
    pub fn split_in_groups(self, group: usize, parts: usize) -> Vec<Self> {
        let width = self.stride;
        assert!(self.columns == (0..width), "columns {:?} of {width} are a part already", self.columns);
        let mut views = Vec::with_capacity(parts);
        let mut rest = self;
        for part in 0..parts {
            let end = (group * share(width.div_ceil(group), part, parts).end).min(width);
            let (view, others) = rest.split_at(end);
            views.push(view);
            rest = others;
        }
        debug_assert!(disjoint(&views), "parts overlap");
        views
    }

    /// The tiles of [`ROWS`] columns that these fill.
    ///
    /// # Panics
    /// Where one of them is only in part here.
    pub fn tiles(&self) -> Range<usize> {
        let Range { start, end } = self.columns;
        if start == end {
            return 0..0;
        }
        let whole = start.is_multiple_of(ROWS) && (end.is_multiple_of(ROWS) || end == self.stride);
        assert!(whole, "columns {start}..{end} are not whole tiles");
        start / ROWS..end.div_ceil(ROWS)
    }

    /// Some columns of a row, to write.
    ///
    /// # Panics
    /// Where they are not in this view.
    #[inline(always)]
    pub fn row(&mut self, row: usize, columns: Range<usize>) -> &mut [f32] {
        let start = self.position(row, &columns);
        // SAFETY: inside the buffer, as was just seen, which lives for 'a and belongs to views alone; no other view has these
        // columns, and this one is borrowed for as long as the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), columns.end - columns.start) }
    }

    /// Some columns of a row, to read.
    ///
    /// # Panics
    /// Where they are not in this view.
    #[inline(always)]
    pub fn read(&self, row: usize, columns: Range<usize>) -> &[f32] {
        let start = self.position(row, &columns);
        // SAFETY: as in `row`; a reader shares the view, so no writer has it.
        unsafe { std::slice::from_raw_parts(self.start.add(start), columns.end - columns.start) }
    }

    /// Where some columns of a row start in the buffer, all of which are in this view.
    #[inline(always)]
    fn position(&self, row: usize, columns: &Range<usize>) -> usize {
        let in_view =
            self.columns.start <= columns.start && columns.start <= columns.end && columns.end <= self.columns.end;
        assert!(in_view && row < self.rows, "row {row}, columns {columns:?} of {:?}", self.columns);
        row * self.stride + columns.start
    }
}

/// True where no column is in two of the views of one buffer.
fn disjoint(views: &[ColumnsMut<'_>]) -> bool {
    let overlap = |a: &ColumnsMut<'_>, b: &ColumnsMut<'_>| {
        a.columns.start.max(b.columns.start) < a.columns.end.min(b.columns.end)
    };
    (1..views.len()).all(|i| views[..i].iter().all(|earlier| !overlap(earlier, &views[i])))
}
