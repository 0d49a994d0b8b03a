//! Datasets, photos and targets.

mod decode;
mod heads;
mod source;

pub use decode::{Preprocessing, prepare};
pub use heads::{HeadData, head_data};
pub use source::Dataset;
pub(crate) use source::file_name;
