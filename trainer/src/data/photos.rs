//! Where a loader's photos come from, and how many of them may stay in memory.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use image::ImageFormat;

use super::Dataset;
use crate::error::{Error, Result};

/// A numbered set of photos that several threads may read.
pub trait Photos: Send + Sync {
    /// Number of photos.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What an error calls a photo.
    fn name(&self, item: usize) -> String;

    /// A photo's bytes, as they are in its file.
    ///
    /// # Errors
    /// They cannot be read.
    fn bytes(&self, item: usize) -> Result<Vec<u8>>;
}

impl Photos for Dataset {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn name(&self, item: usize) -> String {
        self.items[item].image.clone()
    }

    fn bytes(&self, item: usize) -> Result<Vec<u8>> {
        self.bytes(&self.items[item])
    }
}

/// Photos by their paths.
#[derive(Debug, Clone)]
pub struct Files(pub Vec<PathBuf>);

impl Photos for Files {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, item: usize) -> String {
        self.0[item].display().to_string()
    }

    fn bytes(&self, item: usize) -> Result<Vec<u8>> {
        fs::read(&self.0[item]).map_err(|error| Error::Image { image: self.name(item), reason: error.to_string() })
    }
}

/// Bytes that decoded photos may take, shared by several loaders. What does not fit is decoded again every epoch: as each
/// epoch visits each photo once, replacing one photo by another would gain nothing.
#[derive(Debug)]
pub struct MemoryBudget(AtomicUsize);

impl MemoryBudget {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes `bytes` if so many are left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The pictures that lie in a folder, by their endings, in the order of their names.
///
/// # Errors
/// The folder cannot be read, or there are none in it.
pub fn photos_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(Error::io(dir))?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut photos: Vec<PathBuf> =
        paths.filter(|path| path.is_file() && ImageFormat::from_path(path).is_ok()).collect();
    photos.sort();
    if photos.is_empty() {
        return Err(Error::Dataset(format!("{}: there are no photos in it", dir.display())));
    }
    Ok(photos)
}
