//! Views of a buffer's columns: each float belongs to exactly one of them, whatever the shape and the parts, and nothing outside a
//! view can be reached through it. That two threads cannot have the same view is held by the examples that do not compile, in the
//! documentation of `ColumnsMut`; here the same code runs, under sanitizers and Miri too.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use web_mamba::cpu::kernels::Columns;
use web_mamba::cpu::simd::Isa;
use web_mamba::cpu::vectorised::ColumnsMut;
use web_mamba::cpu::vectorised::conv::Conv1dSilu;
use web_mamba::cpu::vectorised::matmul::{Input, MatMul, matmul};
use web_mamba::cpu::vectorised::scan::SelectiveScan;
use web_mamba::cpu::{Tiles, lanes};
use web_mamba::quant::DType;

const WIDTHS: [usize; 7] = [0, 1, 15, 16, 17, 64, 100];
const PARTS: [usize; 5] = [1, 2, 3, 8, 17];
const ROWS: usize = 3;

fn panics(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

/// Adds one to every float of a view.
fn count(view: &mut ColumnsMut<'_>) {
    for row in 0..ROWS {
        let columns = view.columns();
        view.row(row, columns).iter_mut().for_each(|v| *v += 1.0);
    }
}

#[test]
fn each_float_belongs_to_one_view() {
    for (width, parts) in WIDTHS.into_iter().flat_map(|width| PARTS.map(|parts| (width, parts))) {
        let mut buffer = vec![0.0; ROWS * width];
        let mut views = ColumnsMut::new(&mut buffer, width).split_in_tiles(parts);
        assert_eq!(views.len(), parts);
        let (mut end, mut tiles) = (0, 0);
        for view in &views {
            assert_eq!((view.columns().start, view.tiles().len()), (end, view.columns().len().div_ceil(16)));
            assert!(view.tiles().is_empty() || view.tiles().start == tiles, "{width} columns, {parts} parts");
            (end, tiles) = (view.columns().end, tiles + view.tiles().len());
        }
        assert_eq!((end, tiles), (width, width.div_ceil(16)));
        if width == 0 {
            continue;
        }
        // All of them at once, and each from a thread of its own.
        std::thread::scope(|scope| views.iter_mut().for_each(|view| drop(scope.spawn(move || count(view)))));
        assert!(buffer.iter().all(|&v| v == 1.0), "{width} columns, {parts} parts: {buffer:?}");
    }
}

#[test]
fn a_view_that_is_divided_again_still_owns_its_columns_alone() {
    let mut buffer = vec![0.0; ROWS * 40];
    let (mut left, right) = ColumnsMut::new(&mut buffer, 40).split_at(7);
    let (mut middle, mut right) = right.split_at(7);
    assert!(middle.columns().is_empty() && middle.tiles().is_empty());
    [&mut left, &mut middle, &mut right].into_iter().for_each(count);
    let (mut middle, mut right) = right.split_at(39);
    [&mut middle, &mut right].into_iter().for_each(count);
    assert_eq!((right.read(2, 39..40), middle.read(0, 7..9)), (&[2.0][..], &[2.0; 2][..]));
    let counts = buffer.chunks(40).flat_map(|row| row.iter().enumerate());
    counts.for_each(|(column, &count)| assert_eq!(count, if column < 7 { 1.0 } else { 2.0 }, "column {column}"));
}

#[test]
fn nothing_outside_a_view_is_reached() {
    // The last row is not whole: its floats belong to nobody.
    let mut buffer = vec![0.0; ROWS * 40 + 39];
    let (left, right) = ColumnsMut::new(&mut buffer, 40).split_at(16);
    let (mut middle, _right) = right.split_at(32);
    #[allow(clippy::reversed_empty_ranges)]
    let outside: [(usize, Range<usize>); 7] =
        [(0, 15..20), (0, 31..33), (0, 0..0), (0, 20..18), (ROWS, 16..17), (usize::MAX, 16..17), (0, 16..usize::MAX)];
    for (row, columns) in outside {
        assert!(panics(|| drop(middle.row(row, columns.clone()).to_vec())), "row {row}, {columns:?}");
        assert!(panics(|| drop(middle.read(row, columns.clone()).to_vec())), "row {row}, {columns:?}");
    }
    for column in [0, 15, 33, 40, usize::MAX] {
        let mut buffer = [0.0; 40];
        let (_, view) = ColumnsMut::new(&mut buffer, 40).split_at(16);
        let (view, _) = view.split_at(32);
        assert!(panics(|| _ = view.split_at(column)), "{column}");
    }
    assert!(panics(|| drop(left.split_in_tiles(2))), "parts of a part would not be those of the other operands");
}

const WIDTH: usize = 40;

/// One tile, and what is left of the others.
fn parts(buffer: &mut [f32]) -> [ColumnsMut<'_>; 2] {
    ColumnsMut::new(buffer, WIDTH).split_in_tiles(2).try_into().unwrap()
}

#[test]
fn kernels_write_nothing_but_their_view() {
    let isa = Isa::best();
    let (width, tokens) = (WIDTH, 2);
    let x = vec![0.5; tokens * width];
    let x = Columns { data: &x, stride: width, start: 0, width };
    let (taps, bias) = (vec![0.25; 4 * width], vec![0.0; width]);

    let (mut state, mut out) = (vec![9.0; 3 * width], vec![9.0; tokens * width]);
    let ([mine, others], [_, out_of_others]) = (parts(&mut state), parts(&mut out));
    let convolve = |state: ColumnsMut<'_>, out: ColumnsMut<'_>| {
        isa.run(Conv1dSilu { x, tokens, taps: &taps, bias: &bias, state, out })
    };
    assert!(panics(|| convolve(mine, out_of_others)), "a state of other channels");
    let [out, _] = parts(&mut out);
    assert!(panics(|| convolve(others, out)), "a state of other channels");

    let mut out = vec![9.0; tokens * width];
    let [_, out_of_others] = parts(&mut out);
    let rows = Tiles::new(DType::F32, width, width, &vec![0; 4 * width * width]);
    let product = |out: ColumnsMut<'_>| {
        matmul(isa, MatMul { w: &rows, x: Input::Floats(x), tokens, accumulate: false, out });
    };
    product(out_of_others);
    assert!(out.chunks(width).all(|row| row[..16] == [9.0; 16] && row[16..] == [0.0; 24]), "{out:?}");
    let (_, part_of_a_tile) = ColumnsMut::new(&mut out, width).split_at(8);
    assert!(panics(|| product(part_of_a_tile)), "half a tile");
    let mut row = [0.0; WIDTH];
    assert!(panics(|| product(ColumnsMut::new(&mut row, width))), "a row too few");

    let (mut state, mut out) = (vec![9.0; 3 * 16 * 4], vec![9.0; tokens * width]);
    let a = lanes::ChannelLayout::Tiles.apply(&vec![-1.0; 4 * width], width);
    let (floats, bc) = (vec![0.5; tokens * width], vec![0.5; tokens * 2 * 4]);
    let x_columns = x;
    let scan = |state: &mut [f32], out: ColumnsMut<'_>| {
        let (x, dt, dt_bias, d, a, bc) = (&floats[..], &floats[..], &bias[..], &bias[..], &a[..], &bc[..]);
        isa.run(SelectiveScan { x, dt, dt_bias, a, d, bc, z: x_columns, tokens, state, out });
    };
    let [_, out_of_others] = parts(&mut out);
    scan(&mut state[16 * 4..], out_of_others);
    assert!(out.chunks(width).all(|row| row[..16] == [9.0; 16] && row[16..].iter().all(|&v| v != 9.0)), "{out:?}");
    assert_eq!(state[..16 * 4], [9.0; 16 * 4]);
    let [_, out_of_others] = parts(&mut out);
    assert!(panics(|| scan(&mut state, out_of_others)), "states of other channels too");
}

/// For `scripts/test-sanitizers`, which shows with it that it would find one.
#[test]
#[ignore = "reads past the end of a buffer, on purpose"]
fn a_fault_for_the_sanitizer() {
    assert!(std::env::var_os("WEB_MAMBA_FAULT").is_some(), "only where a sanitizer stops it");
    let buffer = Box::new([0.5f32; 8]);
    // SAFETY: none. It is the fault that a sanitizer has to find.
    let beyond = unsafe { std::hint::black_box(buffer.as_ptr()).add(8).read_volatile() };
    println!("{beyond}");
}
