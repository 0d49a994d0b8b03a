//! How fast the loader is.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kenami_domain::run_config::AugmentConfig;

use super::{Files, Loader, LoaderOptions, MemoryBudget, Normalisation, Transform};
use crate::{
    augment::Augment,
    error::{Error, Result},
};

/// What is measured.
#[derive(Debug, Clone)]
pub struct LoaderBench {
    /// The augmentation.
    pub augment: AugmentConfig,
    /// Side of the square, in pixels.
    pub size: u32,
    /// Photos a batch.
    pub batch_size: usize,
    /// Threads; 0: as many as the processor has.
    pub workers: usize,
    /// Memory for decoded photos, in bytes.
    pub cache_bytes: usize,
    /// Epochs are gone through until so long has passed, at least two.
    pub time: Duration,
}

/// Photos a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoaderSpeed {
    /// Photos in the folder.
    pub photos: usize,
    /// In the first epoch, which decodes every photo.
    pub first_epoch: f64,
    /// In the fastest epoch after it, which decodes those that are not kept.
    pub later_epochs: f64,
}

/// Loads the JPEG, PNG and WebP files of a folder again and again.
///
/// # Errors
/// The folder or a photo cannot be read.
pub fn bench_loader(folder: &Path, bench: &LoaderBench) -> Result<LoaderSpeed> {
    let is_photo = |path: &Path| {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        extension.is_some_and(|extension| ["jpg", "jpeg", "png", "webp"].iter().any(|known| extension == *known))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        files.push(entry.map_err(Error::io(folder))?.path());
    }
    files.retain(|path| is_photo(path));
    files.sort();
    let photos = files.len();
    if photos == 0 {
        return Err(Error::Dataset(format!("{}: no photo in it", folder.display())));
    }
    let normalisation = Normalisation { mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375] };
    let options = LoaderOptions { workers: bench.workers, ..LoaderOptions::new(bench.batch_size) };
    let transform = Transform::Train(Augment::new(&bench.augment, 0, bench.size));
    let budget = Arc::new(MemoryBudget::new(bench.cache_bytes));
    let loader = Loader::new(Arc::new(Files(files)), transform, normalisation, options, budget);
    let begin = Instant::now();
    let (mut first_epoch, mut later_epochs) = (0.0, 0.0f64);
    for epoch in 0.. {
        if epoch >= 2 && begin.elapsed() >= bench.time {
            break;
        }
        let start = Instant::now();
        for batch in loader.epoch(epoch, (0..photos).collect(), 0) {
            batch?;
        }
        let speed = photos as f64 / start.elapsed().as_secs_f64();
        if epoch == 0 {
            first_epoch = speed;
        } else {
            later_epochs = later_epochs.max(speed);
        }
    }
    Ok(LoaderSpeed { photos, first_epoch, later_epochs })
}
