//! Datasets, photos and targets.

pub mod bench;
mod decode;
mod heads;
mod loader;
mod photos;
mod show;
mod source;

pub use crate::models::Normalisation;
pub use decode::{Preprocessing, decode, prepare};
pub use heads::{HeadData, head_data};
pub use loader::{Batch, Batches, Incomplete, Loader, LoaderOptions, Transform};
pub use photos::{Files, MemoryBudget, Photos, photos_in};
pub use show::show_batch;
pub use source::Dataset;
pub(crate) use source::file_name;
