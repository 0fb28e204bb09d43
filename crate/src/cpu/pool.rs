//! Threads that wait between steps. Wasm has none: there everything runs on the caller's.
//!
//! A decoded token is over a hundred short steps, so a waiting thread first looks for a while before it sleeps: waking one
//! takes longer than most steps.

#[cfg(not(target_arch = "wasm32"))]
pub use native::Pool;
#[cfg(target_arch = "wasm32")]
pub use single::Pool;

/// Part `part` of `parts` nearly equal ranges of `0..count`, fixed by these numbers alone.
pub fn share(count: usize, part: usize, parts: usize) -> std::ops::Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

#[cfg(target_arch = "wasm32")]
mod single {
    /// The caller alone.
    #[derive(Debug)]
    pub struct Pool;

    impl Pool {
        pub fn new(_: usize) -> Self {
            Self
        }

        pub fn threads(&self) -> usize {
            1
        }

        pub fn run(&mut self, work: &(dyn Fn(usize) + Sync)) {
            work(0);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::UnsafeCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread::JoinHandle;

    /// Looks at a changed counter before a thread sleeps: some microseconds.
    const LOOKS: usize = 4000;

    type Work = *const (dyn Fn(usize) + Sync);

    struct Inner {
        /// How many rounds have begun.
        round: AtomicUsize,
        /// Threads that have not finished this round.
        busy: AtomicUsize,
        /// Some thread's work panicked.
        failed: AtomicBool,
        end: AtomicBool,
        work: UnsafeCell<Option<Work>>,
    }

    // SAFETY: `work` is written only while no thread runs a round, before `round` is raised with Release, and read only after
    // that was seen with Acquire; what it points to is Sync and outlives the round, because `run` waits for its end.
    unsafe impl Sync for Inner {}
    // SAFETY: as above.
    unsafe impl Send for Inner {}

    /// The caller and some threads more.
    pub struct Pool {
        inner: Arc<Inner>,
        threads: Vec<JoinHandle<()>>,
    }

    impl Pool {
        /// `threads` in all, the caller among them; fewer where the system gives no more.
        pub fn new(threads: usize) -> Self {
            let inner = Arc::new(Inner {
                round: AtomicUsize::new(0),
                busy: AtomicUsize::new(0),
                failed: AtomicBool::new(false),
                end: AtomicBool::new(false),
                work: UnsafeCell::new(None),
            });
            let spawn = |part| {
                let inner = Arc::clone(&inner);
                std::thread::Builder::new().name(format!("cpu {part}")).spawn(move || inner.serve(part))
            };
            let threads = (1..threads.max(1)).map_while(|part| spawn(part).ok()).collect();
            Self { inner, threads }
        }

        /// How many threads there are, the caller's among them.
        pub fn threads(&self) -> usize {
            self.threads.len() + 1
        }

        /// Runs `work` with every number below [`Pool::threads`], each on a thread of its own, and waits for all.
        ///
        /// # Panics
        /// Where the work does, after all threads have finished.
        pub fn run(&mut self, work: &(dyn Fn(usize) + Sync)) {
            if self.threads.is_empty() {
                return work(0);
            }
            let inner = &*self.inner;
            // SAFETY: only the lifetime changes. No thread looks at it after this round, whose end is waited for below, also
            // where the work panics.
            let work_pointer = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Work>(work) };
            // SAFETY: no round runs, so nobody reads it.
            unsafe { *inner.work.get() = Some(work_pointer) };
            inner.busy.store(self.threads.len(), Ordering::Relaxed);
            inner.round.fetch_add(1, Ordering::Release);
            self.threads.iter().for_each(|thread| thread.thread().unpark());
            let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(0)));
            let mut looks = 0;
            while inner.busy.load(Ordering::Acquire) > 0 {
                looks += 1;
                if looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
            if let Err(panic) = own {
                std::panic::resume_unwind(panic);
            }
            assert!(!inner.failed.swap(false, Ordering::Relaxed), "a thread of the CPU engine panicked");
        }
    }

    impl Inner {
        fn serve(&self, part: usize) {
            let mut seen = 0;
            loop {
                let mut looks = 0;
                while self.round.load(Ordering::Acquire) == seen {
                    looks += 1;
                    // A wake-up that comes before the sleep ends it at once, so none is lost.
                    if looks < LOOKS { std::hint::spin_loop() } else { std::thread::park() }
                }
                seen = seen.wrapping_add(1);
                if self.end.load(Ordering::Acquire) {
                    return;
                }
                // SAFETY: this round's work was written before the round was seen, and stays until `busy` is zero.
                let work = unsafe { (*self.work.get()).map(|work| &*work) };
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work.map(|work| work(part))));
                if done.is_err() {
                    self.failed.store(true, Ordering::Relaxed);
                }
                self.busy.fetch_sub(1, Ordering::Release);
            }
        }
    }

    impl Drop for Pool {
        fn drop(&mut self) {
            self.inner.end.store(true, Ordering::Release);
            self.inner.round.fetch_add(1, Ordering::Release);
            for thread in self.threads.drain(..) {
                thread.thread().unpark();
                // It caught its panics.
                let _ = thread.join();
            }
        }
    }
}
