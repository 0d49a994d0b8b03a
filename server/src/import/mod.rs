//! Bringing photos into a project: a layout reads a folder into a [`Plan`], the pipeline carries it out.

mod guidelines_md;
mod layout_csv;
mod layout_folders;
mod layout_oxford;
mod name_table;
mod names;
mod pipeline;
mod standards;
mod tree;
mod zip;

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use kenami_domain::{
    schema::{Attribute, Prior},
    view::{guidelines::GuidelineText, job::SkippedFile, photo::ImportedSplit},
};

pub use pipeline::{ImportError, run};
pub use tree::safe_relative;
pub use zip::unpack;

/// How a folder says what its photos are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `images/` and `annotations/` of the Oxford-IIIT Pet Dataset.
    OxfordPets,
    /// A folder a class.
    Folders,
    /// A table with the column `image`, given attributes and optionally `split`.
    Csv,
}

impl Layout {
    /// The layout's name on the command line and in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OxfordPets => "oxford-pets",
            Self::Folders => "folders",
            Self::Csv => "csv",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a layout: choose oxford-pets, folders or csv")]
pub struct UnknownLayout(pub String);

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::OxfordPets, Self::Folders, Self::Csv]
            .into_iter()
            .find(|layout| layout.as_str() == word)
            .ok_or_else(|| UnknownLayout(word.to_owned()))
    }
}

/// A photo that a layout found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name in the project.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Given attributes: value key per attribute key.
    pub given: BTreeMap<String, String>,
    /// The split that the layout gives it.
    pub split: Option<ImportedSplit>,
}

/// Everything that a folder holds, before any photo has been opened.
#[derive(Debug, Default)]
pub struct Plan {
    /// Attributes with their values, in order.
    pub attributes: Vec<Attribute>,
    /// Breed standards.
    pub priors: Vec<Prior>,
    /// Guidelines per attribute key.
    pub guidelines: Vec<(String, GuidelineText)>,
    /// Photos, in the order in which they go in.
    pub photos: Vec<Candidate>,
    /// Files and rows that are left out already.
    pub skipped: Vec<SkippedFile>,
    /// What else to know.
    pub warnings: Vec<String>,
}

/// A folder that cannot be read as its layout.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file or folder cannot be read.
    #[error("{path}: {reason}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// The folder lacks what the layout needs.
    #[error("{0}")]
    Missing(String),
}

impl LayoutError {
    fn read(path: &std::path::Path, error: impl fmt::Display) -> Self {
        Self::Read { path: path.display().to_string(), reason: error.to_string() }
    }
}

/// Reads `folder`; without a layout, it is found out: `annotations/list.txt` and `images/` say oxford-pets, a single
/// table with a column `image` says csv, anything else is folders.
///
/// # Errors
/// The folder cannot be read or lacks what the layout needs.
pub fn plan(folder: &std::path::Path, layout: Option<Layout>) -> Result<Plan, LayoutError> {
    let layout = match layout {
        Some(layout) => layout,
        None if folder.join("images").is_dir() && folder.join("annotations/list.txt").is_file() => Layout::OxfordPets,
        None if layout_csv::table_of(folder).is_ok() => Layout::Csv,
        None => Layout::Folders,
    };
    match layout {
        Layout::OxfordPets => layout_oxford::plan(folder),
        Layout::Folders => layout_folders::plan(folder),
        Layout::Csv => layout_csv::plan(folder),
    }
}

/// The pictures below `folder`, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn pictures_below(folder: &std::path::Path) -> Result<Vec<PathBuf>, LayoutError> {
    Ok(tree::list(folder)?.pictures.into_iter().map(|(_, path)| path).collect())
}
