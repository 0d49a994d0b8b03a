//! Batches of photos for the network, made ready by threads ahead of it.
//!
//! Work is shared out photo by photo; a batch is handed over in the order that was asked for, and its numbers do not depend
//! on how many threads there are. Memory is bounded: a photo is begun only if its batch is one of the next few.

mod queue;

use std::{
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    thread,
};

use crate::models::Normalisation;
use fast_image_resize::Resizer;
use image::RgbImage;

pub use self::queue::Batches;
use super::{
    decode::{centre_square, decode, reduced},
    photos::{MemoryBudget, Photos},
};
use crate::{
    augment::{Augment, Augmented, erase},
    error::{Error, Result},
};

/// What happens to every photo.
#[derive(Debug, Clone)]
pub enum Transform {
    /// Augmentation. A photo much larger than any crop needs is first reduced, see [`Augment::largest_useful_edge`].
    Train(Augment),
    /// The centre, as [`super::prepare`] takes it; the side of the square in pixels.
    Evaluate(u32),
}

impl Transform {
    /// Side of the square, in pixels.
    pub fn size(&self) -> u32 {
        match self {
            Self::Train(augment) => augment.size(),
            Self::Evaluate(size) => *size,
        }
    }
}

/// How a loader works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Photos a batch; the last one of an epoch may have fewer.
    pub batch_size: usize,
    /// Threads; 0: as many as the processor has.
    pub workers: usize,
    /// Batches made ready ahead, at least 1.
    pub prefetch: usize,
}

impl LoaderOptions {
    /// As many threads as the processor has, three batches ahead.
    pub fn new(batch_size: usize) -> Self {
        Self { batch_size, workers: 0, prefetch: 3 }
    }
}

/// A batch for the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalised, `[n, size, size, 3]`.
    pub images: Vec<f32>,
    /// Which photos: as in the order that was asked for.
    pub items: Vec<usize>,
    /// Side of the squares, in pixels.
    pub size: usize,
    /// Number of the batch in the epoch, from 0.
    pub number: usize,
}

/// A batch of which photos could not be read. The caller decides: stop (it turns into the first photo's [`Error`]), or go
/// on with the rest.
#[derive(Debug)]
pub struct Incomplete {
    /// Items that are missing and why; the errors name the photos. Never empty.
    pub failures: Vec<(usize, Error)>,
    /// The photos that could be read; there may be none.
    pub rest: Batch,
}

impl From<Incomplete> for Error {
    fn from(mut incomplete: Incomplete) -> Self {
        incomplete.failures.swap_remove(0).1
    }
}

/// Reads, decodes, augments and normalises photos.
#[derive(Clone)]
pub struct Loader(Arc<Inner>);

struct Inner {
    photos: Arc<dyn Photos>,
    transform: Transform,
    normalisation: Normalisation,
    options: LoaderOptions,
    budget: Arc<MemoryBudget>,
    /// Decoded photos, as far as the budget goes: what [`Inner::decoded`] gives for an item.
    kept: Vec<OnceLock<RgbImage>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let kept = self.kept.iter().filter_map(OnceLock::get);
        self.budget.give_back(kept.map(|photo| photo.as_raw().len()).sum());
    }
}

impl Loader {
    /// A loader of `photos` that keeps decoded ones as far as `budget` goes.
    pub fn new(
        photos: Arc<dyn Photos>,
        transform: Transform,
        normalisation: Normalisation,
        options: LoaderOptions,
        budget: Arc<MemoryBudget>,
    ) -> Self {
        let kept = std::iter::repeat_with(OnceLock::new).take(photos.len()).collect();
        let workers = match options.workers {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        };
        let options =
            LoaderOptions { batch_size: options.batch_size.max(1), workers, prefetch: options.prefetch.max(1) };
        Self(Arc::new(Inner { photos, transform, normalisation, options, budget, kept }))
    }

    /// The batches of an epoch: photos in `order`, from batch `first_batch` on (0, or where a run is resumed). Threads start
    /// at once and stop when the result is dropped.
    ///
    /// # Panics
    /// An item in `order` is not a photo's.
    pub fn epoch(&self, epoch: u64, order: Vec<usize>, first_batch: usize) -> Batches {
        assert!(order.iter().all(|item| *item < self.0.photos.len()), "an item outside the photos");
        Batches::start(Arc::clone(&self.0), epoch, order, first_batch)
    }

    /// Batches of an epoch over `photos` photos.
    pub fn batches(&self, photos: usize) -> usize {
        photos.div_ceil(self.0.options.batch_size)
    }
}

impl Inner {
    /// A photo's square; a decoder that panics is a photo that cannot be read.
    fn square(&self, epoch: u64, item: usize, resizer: &mut Resizer) -> Result<Augmented> {
        let work = AssertUnwindSafe(|| self.try_square(epoch, item, resizer));
        catch_unwind(work).unwrap_or_else(|_| {
            Err(Error::Image { image: self.photos.name(item), reason: "the decoder failed".to_owned() })
        })
    }

    fn try_square(&self, epoch: u64, item: usize, resizer: &mut Resizer) -> Result<Augmented> {
        if let Some(photo) = self.kept[item].get() {
            return Ok(self.transformed(photo, epoch, item, resizer));
        }
        let photo = self.decoded(item)?;
        let square = self.transformed(&photo, epoch, item, resizer);
        let bytes = photo.as_raw().len();
        if self.budget.take(bytes) && self.kept[item].set(photo).is_err() {
            // Another thread was faster: the photo is twice in the order.
            self.budget.give_back(bytes);
        }
        Ok(square)
    }

    fn transformed(&self, photo: &RgbImage, epoch: u64, item: usize, resizer: &mut Resizer) -> Augmented {
        match &self.transform {
            Transform::Train(augment) => augment.photo(photo, epoch, item as u64, resizer),
            Transform::Evaluate(_) => Augmented { photo: photo.clone(), erased: None },
        }
    }

    /// All of the work that is the same in every epoch.
    fn decoded(&self, item: usize) -> Result<RgbImage> {
        let bytes = self.photos.bytes(item)?;
        let photo = match &self.transform {
            Transform::Train(augment) => decode(&bytes).and_then(|photo| reduced(photo, augment.largest_useful_edge())),
            Transform::Evaluate(size) => centre_square(&bytes, *size),
        };
        photo.map_err(|reason| Error::Image { image: self.photos.name(item), reason })
    }

    /// The batch of these photos, in their order.
    fn batch(&self, number: usize, photos: Vec<(usize, Result<Augmented>)>) -> Result<Batch, Incomplete> {
        let size = self.transform.size();
        let values = size as usize * size as usize * 3;
        let (mut squares, mut items, mut failures) = (Vec::with_capacity(photos.len()), Vec::new(), Vec::new());
        for (item, photo) in photos {
            match photo {
                Ok(square) => {
                    squares.push(square);
                    items.push(item);
                }
                Err(error) => failures.push((item, error)),
            }
        }
        let mut images = vec![0.0; squares.len() * values];
        for (square, target) in squares.iter().zip(images.chunks_exact_mut(values)) {
            self.normalisation.apply(square.photo.as_raw(), target);
            if let Some(rectangle) = square.erased {
                erase(target, size, rectangle);
            }
        }
        let batch = Batch { images, items, size: size as usize, number };
        if failures.is_empty() { Ok(batch) } else { Err(Incomplete { failures, rest: batch }) }
    }
}
