//! What a round of the pool promises, whatever its tasks do.
#![allow(clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ThreadPool;
use crate::cpu::vectorised::ColumnsMut;

const ROUNDS: usize = if cfg!(miri) { 3 } else { 2000 };

#[test]
fn each_task_is_done_once_in_every_round() {
    for threads in [1, 2, 3, 5] {
        let mut pool = ThreadPool::new(threads);
        let mut buffer = vec![0.0; 2 * 70];
        for round in 0..ROUNDS {
            let views = ColumnsMut::new(&mut buffer, 70).split_in_tiles(threads);
            pool.run(views.into_iter(), |mut view| {
                for row in 0..2 {
                    let columns = view.columns();
                    view.row(row, columns).iter_mut().for_each(|v| *v += 1.0);
                }
            });
            let expected = (round + 1) as f32;
            assert!(buffer.iter().all(|&v| v == expected), "{threads} threads, round {round}: {buffer:?}");
        }
    }
}

/// Panics when it is dropped, as what a panic carries may.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_round_ends_whatever_panics_in_it() {
    let mut pool = ThreadPool::new(3);
    for panicking in [0..0, 0..1, 1..3, 0..3] {
        let done = AtomicUsize::new(0);
        let work = |task: usize| {
            done.fetch_add(1, Ordering::Relaxed);
            if panicking.contains(&task) {
                std::panic::panic_any(Bomb);
            }
        };
        let round = catch_unwind(AssertUnwindSafe(|| pool.run(0..3, work)));
        assert_eq!((round.is_err(), done.into_inner()), (!panicking.is_empty(), 3), "{panicking:?}");
    }
}

#[test]
fn tasks_are_as_many_as_threads() {
    for count in [0, 1, 3] {
        let mut pool = ThreadPool::new(2);
        let round = catch_unwind(AssertUnwindSafe(|| pool.run(0..count, |_| ())));
        assert!(round.is_err(), "{count} tasks for two threads");
    }
}
