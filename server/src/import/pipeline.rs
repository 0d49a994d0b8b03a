//! Carrying out a plan: read, check, derive, keep the files, then add the rows.
//!
//! Files go first and rows after, batch by batch and in the plan's order: an import that is killed leaves whole batches
//! and files that the next one finds again, so that a second run ends in the same state as an undisturbed one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use kenami_domain::view::job::{ImportReport, SkippedFile};
use kenami_store::{
    actor::Actor,
    db::Db,
    guidelines,
    photos::{self, NewFile, NewPhoto},
    projects, queue, schema,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Candidate, Plan};
use crate::{
    imaging::{self, Derivative, Derived, Format, Header, MAX_FILE_BYTES, PhotoError},
    jobs::Progress,
    storage::{Storage, StorageError, Variant},
};

/// Photos a transaction.
const BATCH: usize = 256;
/// Photos under way at once; most of them wait for a core or the disk.
const UNDER_WAY: usize = 24;
/// Memory for files that have been read, and for decoded pixels, in KiB: an import stays below 500 MB.
const FILES_KIB: u32 = 56 * 1024;
const PIXELS_KIB: u32 = 320 * 1024;

/// An import that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database refused.
    #[error(transparent)]
    Store(#[from] kenami_store::error::Error),
    /// The object store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Somebody asked it to stop. What came in stays.
    #[error("the import was stopped")]
    Cancelled,
}

/// How one photo came out.
enum Outcome {
    Ready { photo: NewPhoto, warning: Option<String> },
    Unchanged,
    Skipped(SkippedFile),
}

/// Brings everything in `plan` into the project `key`, which the command line makes if there is none. What is there
/// already is left alone.
///
/// # Errors
/// The database or the object store fails, or `progress` says to stop. A photo that cannot be taken is no error: it is in
/// the report.
pub async fn run(
    actor: &Actor,
    db: &Db,
    storage: &Storage,
    key: &str,
    plan: Plan,
    progress: &Progress,
) -> Result<ImportReport, ImportError> {
    projects::ensure(actor, db, key).await?;
    for attribute in &plan.attributes {
        schema::ensure_attribute(actor, db, key, attribute).await?;
    }
    if !plan.priors.is_empty() {
        schema::set_priors(actor, db, key, &plan.priors).await?;
    }
    for (attribute, text) in plan.guidelines {
        guidelines::import(actor, db, key, &attribute, &text).await?;
    }
    let mut report = ImportReport { skipped: plan.skipped, warnings: plan.warnings, ..ImportReport::default() };
    progress.begin(plan.photos.len(), "Reading photos");
    let pipeline = Arc::new(Pipeline::new(storage.clone()));
    for batch in plan.photos.chunks(BATCH) {
        let names: Vec<String> = batch.iter().map(|photo| photo.name.clone()).collect();
        let known = photos::known_names(actor, db, key, &names).await?;
        let waiting: Vec<_> =
            batch.iter().map(|candidate| (candidate.clone(), known.get(&candidate.name).copied())).collect();
        let mut outcomes =
            stream::iter(waiting).map(|(candidate, known)| pipeline.clone().take(candidate, known)).buffered(UNDER_WAY);
        let mut ready = Vec::with_capacity(batch.len());
        while let Some(outcome) = outcomes.next().await {
            if progress.is_cancelled() {
                return Err(ImportError::Cancelled);
            }
            match outcome? {
                Outcome::Ready { photo, warning } => {
                    ready.push(photo);
                    report.warnings.extend(warning);
                }
                Outcome::Unchanged => report.unchanged += 1,
                Outcome::Skipped(file) => report.skipped.push(file),
            }
            progress.step();
        }
        if !ready.is_empty() {
            let added = photos::add_batch(actor, db, key, ready).await?;
            report.added += added.added;
            report.duplicates += added.duplicates;
            report.unchanged += added.unchanged;
            report.skipped.extend(added.conflicts.into_iter().map(|(name, reason)| SkippedFile { name, reason }));
        }
    }
    if report.added > 0 {
        queue::photos_imported(actor, db, key).await?;
    }
    Ok(report)
}

/// What all photos under way share.
struct Pipeline {
    storage: Storage,
    files: Arc<Semaphore>,
    pixels: Arc<Semaphore>,
}

impl Pipeline {
    fn new(storage: Storage) -> Self {
        Self {
            storage,
            files: Arc::new(Semaphore::new(FILES_KIB as usize)),
            pixels: Arc::new(Semaphore::new(PIXELS_KIB as usize)),
        }
    }

    /// Reads, checks and keeps one photo. `known` is the hash of the photo that has its name already.
    ///
    /// Memory is asked for in one order (file, then pixels) and pixels are given back before anything else is waited for,
    /// so that photos cannot wait for each other in a circle.
    async fn take(self: Arc<Self>, candidate: Candidate, known: Option<[u8; 32]>) -> Result<Outcome, ImportError> {
        let skipped = |name: &str, reason: String| Outcome::Skipped(SkippedFile { name: name.to_owned(), reason });
        let (bytes, _memory) = match self.read(&candidate.path).await {
            Ok(read) => read,
            Err(reason) => return Ok(skipped(&candidate.name, reason)),
        };
        let hashed = bytes.clone();
        let hash = on_a_core(move || Ok(*blake3::hash(&hashed).as_bytes())).await;
        let hash = match hash {
            Ok(hash) => hash,
            Err(error) => return Ok(skipped(&candidate.name, error.to_string())),
        };
        match known {
            Some(known) if known == hash => return Ok(Outcome::Unchanged),
            Some(_) => {
                let reason = "the project has another photo of this name, with other bytes".to_owned();
                return Ok(skipped(&candidate.name, reason));
            }
            None => {}
        }
        let (header, derived) = match self.derive(bytes.clone()).await {
            Ok(done) => done,
            Err(error) => return Ok(skipped(&candidate.name, error.to_string())),
        };
        let warning = mislabelled(&candidate.name, header.format);
        let file = new_file(hash, bytes.len(), &header);
        self.keep(&hash, bytes, derived).await?;
        let photo = NewPhoto { name: candidate.name, file, split: candidate.split, given: candidate.given };
        Ok(Outcome::Ready { photo, warning })
    }

    /// The file's bytes, within the memory for files; the error is the reason, for people.
    async fn read(&self, path: &Path) -> Result<(Bytes, OwnedSemaphorePermit), String> {
        let length = match tokio::fs::metadata(path).await {
            Ok(meta) if meta.is_file() => meta.len(),
            Ok(_) => return Err("not a file".to_owned()),
            Err(error) => return Err(format!("the file cannot be read: {error}")),
        };
        if length > MAX_FILE_BYTES {
            return Err(PhotoError::TooManyBytes(length).to_string());
        }
        let memory = reserve(&self.files, length, FILES_KIB).await;
        let bytes = tokio::fs::read(path).await.map_err(|error| format!("the file cannot be read: {error}"))?;
        Ok((Bytes::from(bytes), memory))
    }

    async fn derive(&self, bytes: Bytes) -> Result<(Header, Derived), PhotoError> {
        let looked_at = bytes.clone();
        let header = on_a_core(move || imaging::inspect(&looked_at)).await?;
        let _memory = reserve(&self.pixels, header.decode_bytes, PIXELS_KIB).await;
        on_a_core(move || imaging::derive(&header, &bytes).map(|derived| (header, derived))).await
    }

    async fn keep(&self, hash: &[u8; 32], original: Bytes, derived: Derived) -> Result<(), StorageError> {
        self.storage.put_original(hash, original).await?;
        self.keep_derivative(hash, Variant::Web, derived.web).await?;
        self.keep_derivative(hash, Variant::Thumbnail, derived.thumbnail).await
    }

    async fn keep_derivative(&self, hash: &[u8; 32], to: Variant, derivative: Derivative) -> Result<(), StorageError> {
        match derivative {
            Derivative::Original => self.storage.copy(hash, Variant::Original, to).await,
            Derivative::Web => self.storage.copy(hash, Variant::Web, to).await,
            Derivative::Bytes(bytes) => self.storage.put_derivative(hash, to, bytes).await,
        }
    }
}

/// Waits for memory; what is larger than all of it gets all of it.
async fn reserve(memory: &Arc<Semaphore>, bytes: u64, all_kib: u32) -> OwnedSemaphorePermit {
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, all_kib);
    memory.clone().acquire_many_owned(kib).await.expect("never closed")
}

/// Computes on rayon's threads, one a core, away from the runtime's. A decoder that panics over a photo spoils that photo
/// alone.
async fn on_a_core<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PhotoError> + Send + 'static,
) -> Result<T, PhotoError> {
    let (done, result) = oneshot::channel();
    rayon::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    });
    match result.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Err(PhotoError::Damaged("its decoder gave up".to_owned())),
    }
}

fn new_file(hash: [u8; 32], bytes: usize, header: &Header) -> NewFile {
    let (width, height) = header.shown_size();
    let pixels = |side: u32| i32::try_from(side).expect("at most MAX_SIDE");
    NewFile {
        hash,
        bytes: i64::try_from(bytes).expect("at most MAX_FILE_BYTES"),
        media_type: header.format.media_type(),
        width: pixels(width),
        height: pixels(height),
    }
}

/// A word about a photo whose name promises another format; its content decides.
fn mislabelled(name: &str, format: Format) -> Option<String> {
    let extension = Path::new(name).extension()?.to_str()?;
    (Format::from_extension(extension) != Some(format)).then(|| {
        format!("{name}: named .{extension}, but its content is {}; taken as {}", format.name(), format.name())
    })
}
