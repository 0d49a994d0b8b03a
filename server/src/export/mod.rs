//! Writing a frozen dataset: as one table, as lines of JSON, as the folder that the trainer reads, or as class folders.
//!
//! The same export of the same dataset is the same bytes every time. A producer reads items and photos page by page and
//! sends [`Part`]s; a sink writes them to a folder, to an archive, or on as they are. Nothing is held whole.

mod classes;
mod download;
mod produce;
mod sink;
mod table;

use bytes::Bytes;
use kenami_domain::view::dataset::ExportFormat;
use kenami_store::{
    actor::Actor,
    datasets,
    db::Db,
    rights::{self, Operation},
};

pub use download::{Download, download};
pub use sink::write_to;

use crate::storage::{Storage, StorageError};

/// An export that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database refused.
    #[error(transparent)]
    Store(#[from] kenami_store::error::Error),
    /// A photo could not be read.
    #[error("{image}: {reason}")]
    Photo {
        /// Its path in the dataset.
        image: String,
        /// Why.
        reason: StorageError,
    },
    /// The target cannot be written.
    #[error("{path}: {reason}")]
    Write {
        /// The file or folder.
        path: String,
        /// Why.
        reason: String,
    },
    /// The attribute for class folders is none of the dataset.
    #[error("the dataset has no attribute `{0}` to make class folders of")]
    UnknownAttribute(String),
    /// The dataset has no attribute at all.
    #[error("the dataset has no attributes to make class folders of")]
    NoAttribute,
    /// The other side has gone.
    #[error("the export was broken off")]
    BrokenOff,
}

/// The result of an export's step.
pub type Result<T, E = ExportError> = std::result::Result<T, E>;

/// Which dataset to export, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who exports.
    pub actor: Actor,
    /// The database.
    pub db: Db,
    /// The object store.
    pub storage: Storage,
    /// The project's key.
    pub project: String,
    /// The dataset's name.
    pub dataset: String,
    /// The format.
    pub format: ExportFormat,
    /// The attribute whose values are the class folders; the given attribute with most values if none.
    pub by: Option<String>,
}

impl Request {
    /// Checks that the actor may export and that the dataset is there, and reads its manifest.
    async fn manifest(&self) -> Result<kenami_domain::dataset::Manifest> {
        rights::require(&self.actor, &self.db, Operation::ExportDataset, self.project.as_str()).await?;
        Ok(datasets::manifest(&self.actor, &self.db, &self.project, &self.dataset).await?)
    }
}

/// A piece of an export.
#[derive(Debug)]
enum Part {
    /// What follows belongs to the file with this path.
    File(String),
    /// Bytes of the current file.
    Bytes(Bytes),
    /// Everything has been sent.
    End,
}

/// What an export has written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Photos.
    pub photos: usize,
    /// Photos left out of class folders, as they have no class.
    pub without_class: usize,
}
