//! The threads of one epoch and what they share.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use fast_image_resize::Resizer;

use super::{Batch, Incomplete, Inner};
use crate::{augment::Augmented, error::Result};

/// The batches of an epoch, in order. Dropping it stops the threads.
pub struct Batches {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    loader: Arc<Inner>,
    epoch: u64,
    order: Vec<usize>,
    state: Mutex<State>,
    /// A batch was taken, or the end has come: there may be work.
    may_work: Condvar,
    /// A batch is ready.
    is_ready: Condvar,
}

struct State {
    /// Next photo to begin, as a place in the order.
    next: usize,
    /// Number of the batch that is handed over next.
    first: usize,
    /// Batch `first` and those after it that were begun.
    open: VecDeque<Slot>,
    is_stopped: bool,
}

/// A batch in the making.
enum Slot {
    Waiting {
        photos: Vec<Option<Result<Augmented>>>,
        missing: usize,
    },
    /// Its photos are there; one thread makes the batch of them.
    Joining,
    Ready(Result<Batch, Incomplete>),
}

impl Batches {
    pub(super) fn start(loader: Arc<Inner>, epoch: u64, order: Vec<usize>, first_batch: usize) -> Self {
        let batch_size = loader.options.batch_size;
        let left = order.len().saturating_sub(first_batch.saturating_mul(batch_size));
        let workers = loader.options.workers.min(left);
        let state = State { next: order.len() - left, first: first_batch, open: VecDeque::new(), is_stopped: false };
        let shared = Arc::new(Shared {
            loader,
            epoch,
            order,
            state: Mutex::new(state),
            may_work: Condvar::new(),
            is_ready: Condvar::new(),
        });
        let threads = (0..workers)
            .map(|number| {
                let shared = Arc::clone(&shared);
                let thread = thread::Builder::new().name(format!("loader {number}"));
                thread.spawn(move || shared.work()).expect("the system has a thread left")
            })
            .collect();
        Self { shared, threads }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Incomplete>;

    fn next(&mut self) -> Option<Self::Item> {
        let shared = &self.shared;
        let mut state = shared.lock();
        if state.first * shared.loader.options.batch_size >= shared.order.len() {
            return None;
        }
        while !matches!(state.open.front(), Some(Slot::Ready(_))) {
            state = shared.is_ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let Some(Slot::Ready(batch)) = state.open.pop_front() else { unreachable!("the front was ready") };
        state.first += 1;
        drop(state);
        shared.may_work.notify_all();
        Some(batch)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.shared.lock().is_stopped = true;
        self.shared.may_work.notify_all();
        for thread in self.threads.drain(..) {
            // A thread's panic was printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let batch_size = self.loader.options.batch_size;
        let mut resizer = Resizer::new();
        while let Some(place) = self.begin() {
            let photo = self.loader.square(self.epoch, self.order[place], &mut resizer);
            if let Some(photos) = self.put(place, photo) {
                let number = place / batch_size;
                let items = self.order[number * batch_size..].iter().copied();
                let batch = self.loader.batch(number, items.zip(photos).collect());
                let mut state = self.lock();
                let slot = number - state.first;
                state.open[slot] = Slot::Ready(batch);
                drop(state);
                self.is_ready.notify_all();
            }
        }
    }

    /// The next photo, once its batch is near enough; `None` when there is no more.
    fn begin(&self) -> Option<usize> {
        let options = &self.loader.options;
        let mut state = self.lock();
        loop {
            if state.is_stopped || state.next >= self.order.len() {
                return None;
            }
            let ahead = state.next / options.batch_size - state.first;
            if ahead < options.prefetch {
                let place = state.next;
                state.next += 1;
                if ahead == state.open.len() {
                    let start = place / options.batch_size * options.batch_size;
                    let photos = options.batch_size.min(self.order.len() - start);
                    let empty = std::iter::repeat_with(|| None).take(photos).collect();
                    state.open.push_back(Slot::Waiting { photos: empty, missing: photos });
                }
                return Some(place);
            }
            state = self.may_work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a photo into its batch; all photos of the batch if it was the last one.
    fn put(&self, place: usize, photo: Result<Augmented>) -> Option<Vec<Result<Augmented>>> {
        let batch_size = self.loader.options.batch_size;
        let mut state = self.lock();
        let number = place / batch_size - state.first;
        let Slot::Waiting { photos, missing } = &mut state.open[number] else {
            unreachable!("a batch waits until its last photo is there")
        };
        photos[place % batch_size] = Some(photo);
        *missing -= 1;
        if *missing > 0 {
            return None;
        }
        let photos = std::mem::take(photos);
        state.open[number] = Slot::Joining;
        Some(photos.into_iter().map(|photo| photo.expect("none is missing")).collect())
    }
}
