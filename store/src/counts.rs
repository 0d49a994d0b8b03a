//! Counts that grow with the project must not be paid with each answer: large ones are kept for a while and counted anew
//! beside the requests.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{db::Db, error::Result};

/// Counts that take less than this are always made anew.
const CHEAP: Duration = Duration::from_millis(3);
/// Counts over fewer rows, too: what takes long then is not the counting.
const FEW: i64 = 2_000;

/// What is counted.
pub(crate) trait Count: Clone + Send + Sync + 'static {
    /// Rows that were counted.
    fn rows(&self) -> i64;
}

/// A database and an id in it.
type Key = (String, i64);

/// Counts by database and id.
pub(crate) struct Counts<T> {
    entries: LazyLock<Mutex<HashMap<Key, Arc<Entry<T>>>>>,
    /// A count serves for so many times as long as it took.
    keep: u32,
}

struct Entry<T> {
    kept: Mutex<Option<Kept<T>>>,
    /// Held by the one who counts.
    counting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Kept<T> {
    value: T,
    at: Instant,
    took: Duration,
}

impl<T: Count> Counts<T> {
    pub(crate) const fn new(keep: u32) -> Self {
        Self { entries: LazyLock::new(Mutex::default), keep }
    }

    /// The count of `id`: `count`'s result now where that is cheap, else a kept one, counted anew in the background when
    /// it is old.
    pub(crate) async fn get<F>(&self, db: &Db, id: i64, count: fn(Db, i64) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let entry = self.entry(db, id);
        if entry.kept().is_none() {
            // The first ones wait for one of them to count.
            let counting = entry.counting.clone().lock_owned().await;
            if entry.kept().is_none() {
                let value = entry.count(count(db.clone(), id)).await?;
                drop(counting);
                return Ok(value);
            }
        }
        let kept = entry.kept().clone();
        let Some(kept) = kept.filter(|kept| kept.took > CHEAP && kept.value.rows() > FEW) else {
            return entry.count(count(db.clone(), id)).await;
        };
        if kept.at.elapsed() > kept.took * self.keep
            && let Ok(counting) = entry.counting.clone().try_lock_owned()
        {
            let again = count(db.clone(), id);
            tokio::spawn(async move {
                if let Err(error) = entry.count(again).await {
                    tracing::warn!("progress could not be counted: {error}");
                }
                drop(counting);
            });
        }
        Ok(kept.value)
    }

    fn entry(&self, db: &Db, id: i64) -> Arc<Entry<T>> {
        let options = db.connect_options();
        let database =
            format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.entry((database, id)).or_default().clone()
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { kept: Mutex::default(), counting: Arc::default() }
    }
}

impl<T: Count> Entry<T> {
    fn kept(&self) -> MutexGuard<'_, Option<Kept<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn count(&self, count: impl Future<Output = Result<T>>) -> Result<T> {
        let at = Instant::now();
        let value = count.await?;
        *self.kept() = Some(Kept { value: value.clone(), at, took: at.elapsed() });
        Ok(value)
    }
}
