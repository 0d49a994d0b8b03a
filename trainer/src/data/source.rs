//! A frozen dataset: rows, and a way to the photos' bytes.

use std::{
    fmt, fs,
    io::{self, BufRead, BufReader},
    path::{Component, Path},
    sync::Arc,
};

use kenami_domain::dataset::{Item, Manifest};

use crate::error::{Error, Result};

type Loader = Arc<dyn Fn(&Item) -> io::Result<Vec<u8>> + Send + Sync>;

/// A frozen dataset.
#[derive(Clone)]
pub struct Dataset {
    /// Name, schema and priors.
    pub manifest: Manifest,
    /// One row a photo.
    pub items: Vec<Item>,
    loader: Loader,
    /// Whether [`Item::image_hash`] may be believed without reading the photo.
    trusts_hashes: bool,
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset").field("name", &self.manifest.name).field("items", &self.items.len()).finish()
    }
}

impl Dataset {
    /// Opens a folder with `dataset.json`, `items.jsonl` and `images/`.
    ///
    /// # Errors
    /// A file is missing, a line cannot be read (with its number), or an image's path leads out of the folder.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let path = dir.join("dataset.json");
        let manifest = serde_json::from_slice(&fs::read(&path).map_err(Error::io(&path))?)
            .map_err(|error| Error::Dataset(format!("{}: {error}", path.display())))?;
        let items = read_items(&dir.join("items.jsonl"))?;
        let root = dir.to_owned();
        let mut dataset = Self::new(manifest, items, move |item| fs::read(root.join(&item.image)));
        dataset.trusts_hashes = false;
        Ok(dataset)
    }

    /// A dataset whose photos come from `loader`, called from several threads. An [`Item::image_hash`] that is not empty
    /// is believed: a photo whose features are cached under it is not read.
    pub fn new(
        manifest: Manifest,
        items: Vec<Item>,
        loader: impl Fn(&Item) -> io::Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self { manifest, items, loader: Arc::new(loader), trusts_hashes: true }
    }

    /// The dataset with more items, whose photos come from `loader`.
    pub(crate) fn extended(
        &self,
        more: Vec<Item>,
        loader: impl Fn(&Item) -> io::Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let names: std::collections::HashSet<String> = more.iter().map(|item| item.image.clone()).collect();
        let own = Arc::clone(&self.loader);
        let loader: Loader = Arc::new(move |item| if names.contains(&item.image) { loader(item) } else { own(item) });
        let items = self.items.iter().cloned().chain(more).collect();
        Self { manifest: self.manifest.clone(), items, loader, trusts_hashes: self.trusts_hashes }
    }

    /// A photo's bytes.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn bytes(&self, item: &Item) -> Result<Vec<u8>> {
        (self.loader)(item).map_err(|error| Error::Image { image: item.image.clone(), reason: error.to_string() })
    }

    /// The photo's content hash, if it may be believed.
    pub(crate) fn trusted_hash(&self, item: &Item) -> Option<blake3::Hash> {
        self.trusts_hashes.then(|| blake3::Hash::from_hex(&item.image_hash).ok()).flatten()
    }

    /// blake3 over everything that decides a run but the photos' pixels.
    pub(crate) fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&serde_json::to_vec(&self.manifest).expect("a manifest is plain data"));
        for item in &self.items {
            hasher.update(&serde_json::to_vec(item).expect("an item is plain data"));
        }
        hasher.finalize()
    }
}

/// The photo's file name, as it is written in predictions.
pub(crate) fn file_name(image: &str) -> &str {
    image.strip_prefix("images/").unwrap_or(image)
}

fn read_items(path: &Path) -> Result<Vec<Item>> {
    let file = BufReader::new(fs::File::open(path).map_err(Error::io(path))?);
    let mut items: Vec<Item> = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let line = line.map_err(Error::io(path))?;
        if line.trim().is_empty() {
            continue;
        }
        let fault = |reason: String| Error::Dataset(format!("{} line {}: {reason}", path.display(), number + 1));
        let item: Item = serde_json::from_str(&line).map_err(|error| fault(error.to_string()))?;
        if !Path::new(&item.image).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(fault(format!("image {} is not inside the dataset's folder", item.image)));
        }
        items.push(item);
    }
    Ok(items)
}
