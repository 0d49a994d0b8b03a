//! How far a piece of work is, and whether it should stop: shared between the work and whoever shows it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Counters that the work moves and others read. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    done: AtomicU64,
    total: AtomicU64,
    message: Mutex<String>,
    cancelled: AtomicBool,
}

impl Progress {
    /// Begins a part of the work with `total` steps (0: unknown).
    pub fn begin(&self, total: usize, message: &str) {
        self.set(0, total as u64, message);
    }

    /// One step is done.
    pub fn step(&self) {
        self.state.done.fetch_add(1, Ordering::Relaxed);
    }

    /// So much is done.
    pub fn set(&self, done: u64, total: u64, message: &str) {
        self.state.done.store(done, Ordering::Relaxed);
        self.state.total.store(total, Ordering::Relaxed);
        message.clone_into(&mut self.state.message.lock().expect("no panic while held"));
    }

    /// Steps done, steps in all, and what is being done.
    pub fn now(&self) -> (u64, u64, String) {
        let message = self.state.message.lock().expect("no panic while held").clone();
        (self.state.done.load(Ordering::Relaxed), self.state.total.load(Ordering::Relaxed), message)
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }
}
