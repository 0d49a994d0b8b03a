//! Pooled features of the frozen trunk, computed once a photo and kept on disk.

mod cache;

use std::{
    path::Path,
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

pub use cache::{FeatureCache, Precision};

use crate::{
    data::{Dataset, Preprocessing, prepare},
    error::{Error, Result},
    models::{Trunk, Weights, Workspace},
    observer::{Event, Observer},
};

/// Photos whose features are written, and told about, together.
const CHUNK: usize = 128;

/// Features of every item of a dataset.
#[derive(Debug, Clone)]
pub struct Features {
    /// `[items, width]`.
    pub values: Vec<f32>,
    /// Values a photo.
    pub width: usize,
    /// Photos computed now.
    pub computed: usize,
    /// Photos found in the cache.
    pub cached: usize,
}

impl Features {
    /// Those of one item.
    pub(crate) fn row(&self, item: usize) -> &[f32] {
        &self.values[item * self.width..(item + 1) * self.width]
    }

    /// Those of the first items alone.
    pub(crate) fn first(&self, items: usize) -> Self {
        Self { values: self.values[..items * self.width].to_vec(), ..*self }
    }
}

/// What a cached feature depends on besides the photo; `flip`: it is the mean with the mirrored photo's.
pub fn cache_key(model: &str, weights: &Weights, preprocessing: &Preprocessing, flip: bool) -> blake3::Hash {
    let flipped = if flip { " flip" } else { "" };
    let text = format!("pooled v1 {model} {} {}{flipped}", weights.hash(), preprocessing.describe());
    blake3::hash(text.as_bytes())
}

/// Features of all items, in their order, from `cache_dir` as far as they are there. Parallel over photos; a photo's
/// features do not depend on the others.
///
/// # Errors
/// A photo cannot be read (by name), the cache cannot be written, or the observer cancelled; what was computed until then
/// stays cached.
pub fn extract(
    dataset: &Dataset,
    trunk: &dyn Trunk,
    preprocessing: &Preprocessing,
    cache: Option<(&Path, blake3::Hash)>,
    observer: &dyn Observer,
) -> Result<Features> {
    let width = trunk.features();
    let cache = cache.map(|(dir, key)| FeatureCache::open(dir, key, width, Precision::Single)).transpose()?;
    let total = dataset.items.len();
    let mut values = vec![0.0; total * width];
    let (done, cached) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let fresh = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    observer.event(Event::Features { done: 0, total, cached: 0 });
    let rows = dataset.items.par_iter().zip(values.par_chunks_mut(width));
    rows.try_for_each_init(Workspace::default, |workspace, (item, features)| {
        let mut one = || -> Result<()> {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let known = dataset.trusted_hash(item);
            if let (Some(cache), Some(hash)) = (&cache, known)
                && cache.read(&hash, features)?
            {
                cached.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let bytes = dataset.bytes(item)?;
            let hash = blake3::hash(&bytes);
            if let Some(cache) = &cache
                && cache.read(&hash, features)?
            {
                cached.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let pixels =
                prepare(&bytes, preprocessing).map_err(|reason| Error::Image { image: item.image.clone(), reason })?;
            trunk.forward(&pixels, preprocessing.size as usize, workspace, features)?;
            if let Some(cache) = &cache {
                let full = push_and_take(&fresh, (hash, features.to_vec()));
                cache.append(&full)?;
            }
            Ok(())
        };
        let outcome = one();
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(CHUNK) || done == total {
            observer.event(Event::Features { done, total, cached: cached.load(Ordering::Relaxed) });
        }
        outcome.map_err(|error| {
            failure.lock().expect("no panic while the failure is held").get_or_insert(error);
        })
    })
    .ok();
    if let Some(cache) = &cache {
        cache.append(&fresh.into_inner().expect("no panic while rows are held"))?;
    }
    if let Some(error) = failure.into_inner().expect("no panic while the failure is held") {
        return Err(error);
    }
    let cached = cached.into_inner();
    Ok(Features { values, width, computed: total - cached, cached })
}

type Row = (blake3::Hash, Vec<f32>);

/// Adds a row; hands out all rows once they fill a chunk.
fn push_and_take(rows: &Mutex<Vec<Row>>, row: Row) -> Vec<Row> {
    let mut rows = rows.lock().expect("no panic while rows are held");
    rows.push(row);
    if rows.len() >= CHUNK { std::mem::take(&mut *rows) } else { Vec::new() }
}
