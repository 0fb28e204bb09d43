//! Threads that wait between steps. Wasm has none: there everything runs on the caller's.
//!
//! A decoded token is over a hundred short steps, so a waiting thread spins for a while before it sleeps: waking one takes longer
//! than most steps.
//!
//! Work comes as values, one a part, and each is moved into the call that does it: a value that must not be shared, such as
//! [`ColumnsMut`](super::vectorised::ColumnsMut), reaches one thread only.

#[cfg(not(target_arch = "wasm32"))]
pub use native::ThreadPool;
#[cfg(target_arch = "wasm32")]
pub use single::ThreadPool;

#[cfg(test)]
mod tests;

/// Part `part` of `parts` nearly equal ranges of `0..count`, fixed by these numbers alone.
pub fn share(count: usize, part: usize, parts: usize) -> std::ops::Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

#[cfg(target_arch = "wasm32")]
mod single {
    /// The caller alone.
    #[derive(Debug)]
    pub struct ThreadPool;

    impl ThreadPool {
        pub fn new(_: usize) -> Self {
            Self
        }

        pub fn threads(&self) -> usize {
            1
        }

        pub fn run<T>(&mut self, tasks: impl ExactSizeIterator<Item = T>, work: impl Fn(T)) {
            assert!(tasks.len() == 1, "{} tasks for the caller alone", tasks.len());
            tasks.for_each(work);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::UnsafeCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread::JoinHandle;

    /// Spins before a thread sleeps: some microseconds. Miri takes seconds for this number.
    const SPINS: usize = if cfg!(miri) { 4 } else { 4000 };

    type Work = *const (dyn Fn(usize) + Sync);

    struct Inner {
        /// Parts of a round: the number of threads.
        parts: usize,
        /// The round's number, times 2^16, and the next part that no thread has taken. Taking one is a compare-and-swap of both, so
        /// that a thread that slept through a round cannot take a part of it.
        next: AtomicU64,
        /// Parts of this round that are finished.
        done: AtomicUsize,
        /// Some part panicked.
        failed: AtomicBool,
        end: AtomicBool,
        work: UnsafeCell<Option<Work>>,
    }

    // SAFETY: `work` is written only between rounds, before `next` is set with Release, and read only by a thread that has taken a
    // part with Acquire. A round does not end before all parts are finished, so what was taken can be read; it points to something
    // Sync that outlives the round, because `run` waits for its end.
    unsafe impl Sync for Inner {}
    // SAFETY: as above.
    unsafe impl Send for Inner {}

    /// The caller and some threads more.
    pub struct ThreadPool {
        inner: Arc<Inner>,
        threads: Vec<JoinHandle<()>>,
    }

    impl ThreadPool {
        /// `threads` in all, the caller among them; fewer where the system gives no more. At most 1024.
        pub fn new(threads: usize) -> Self {
            let parts = threads.clamp(1, 1024);
            let inner = Arc::new(Inner {
                parts,
                next: AtomicU64::new(parts as u64),
                done: AtomicUsize::new(parts),
                failed: AtomicBool::new(false),
                end: AtomicBool::new(false),
                work: UnsafeCell::new(None),
            });
            let spawn = |part| {
                let inner = Arc::clone(&inner);
                std::thread::Builder::new().name(format!("cpu {part}")).spawn(move || inner.serve())
            };
            let threads = (1..parts).map_while(|part| spawn(part).ok()).collect();
            Self { inner, threads }
        }

        /// Parts of the work: the threads that were requested.
        pub fn threads(&self) -> usize {
            self.inner.parts
        }

        /// Runs the tasks, as many as [`ThreadPool::threads`], and waits for all. Another thread takes the part of one that has not
        /// woken yet: on a busy machine no part waits for a sleeping thread.
        ///
        /// # Panics
        /// Where there are more or fewer tasks; where the work does, after all parts have ended.
        pub fn run<T: Send>(&mut self, tasks: impl ExactSizeIterator<Item = T>, work: impl Fn(T) + Sync) {
            let parts = self.inner.parts;
            assert!(tasks.len() == parts, "{} tasks for {parts} threads", tasks.len());
            if parts == 1 {
                return tasks.for_each(work);
            }
            let tasks: Vec<_> = tasks.map(|task| Mutex::new(Some(task))).collect();
            self.run_parts(&|part| {
                // No lock is held while the work is done, so none is poisoned and no thread waits for another's.
                let task = tasks[part].lock().ok().and_then(|mut task| task.take());
                task.into_iter().for_each(&work);
            });
        }

        /// Runs `work` with the number of every part, once each.
        fn run_parts(&mut self, work: &(dyn Fn(usize) + Sync)) {
            let inner = &*self.inner;
            // SAFETY: only the lifetime changes. No thread uses it after this round, whose end is waited for below; nothing in
            // between panics.
            let work = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Work>(work) };
            // SAFETY: no round runs, so no thread reads it.
            unsafe { *inner.work.get() = Some(work) };
            inner.done.store(0, Ordering::Relaxed);
            let round = (inner.next.load(Ordering::Relaxed) >> 16).wrapping_add(1);
            inner.next.store(round << 16, Ordering::Release);
            self.threads.iter().for_each(|thread| thread.thread().unpark());
            while inner.take_part() {}
            let mut spins = 0;
            while inner.done.load(Ordering::Acquire) < inner.parts {
                spins += 1;
                if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
            assert!(!inner.failed.swap(false, Ordering::Relaxed), "a part of the CPU engine's work panicked");
        }
    }

    impl Inner {
        /// Takes a part and does it; false where none is left.
        fn take_part(&self) -> bool {
            let free = |next: u64| ((next & 0xffff) < self.parts as u64).then_some(next + 1);
            let Ok(taken) = self.next.fetch_update(Ordering::Acquire, Ordering::Relaxed, free) else { return false };
            // SAFETY: this thread has a part of the round, which therefore lasts until `done` is raised below; its work was
            // written before the round was seen.
            let work = unsafe { (*self.work.get()).map(|work| &*work) };
            let part = (taken & 0xffff) as usize;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work.map(|work| work(part)))) {
                self.failed.store(true, Ordering::Relaxed);
                // Dropping what was thrown may panic in its turn, before this part counts as finished: `run_parts` would unwind
                // while threads still work, or wait for ever.
                std::mem::forget(panic);
            }
            self.done.fetch_add(1, Ordering::Release);
            true
        }

        fn serve(&self) {
            let mut spins = 0;
            while !self.end.load(Ordering::Acquire) {
                spins += 1;
                if self.take_part() {
                    spins = 0;
                } else if spins < SPINS {
                    std::hint::spin_loop();
                } else {
                    // A wake-up that comes before the sleep ends it at once, so none is lost.
                    std::thread::park();
                    spins = 0;
                }
            }
        }
    }

    impl Drop for ThreadPool {
        fn drop(&mut self) {
            self.inner.end.store(true, Ordering::Release);
            for thread in self.threads.drain(..) {
                thread.thread().unpark();
                // It caught its panics.
                let _ = thread.join();
            }
        }
    }
}
