//! Labels in and out of files.

mod export;
mod import;
pub(crate) mod names;

pub use export::{export, export_page};
pub use import::{LabelImport, import};
