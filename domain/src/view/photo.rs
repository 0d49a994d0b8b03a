//! Photos. Their pictures are at `/media/{project_key}/{photo_id}/{thumbnail|web|original}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::Split;

/// A photo in a grid or list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhotoCard {
    /// Photo id.
    pub id: i64,
    /// File name at import.
    pub name: String,
    /// Pixels across, as shown.
    pub width: i32,
    /// Pixels down, as shown.
    pub height: i32,
    /// Given attributes: value key per attribute key.
    pub given: BTreeMap<String, String>,
}

/// The split that a dataset or layout gave a photo at import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportedSplit {
    /// Train and validation together, still to be parted.
    Trainval,
    /// Train.
    Train,
    /// Validation.
    Validation,
    /// Test.
    Test,
}

impl ImportedSplit {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trainval => "trainval",
            Self::Train => Split::Train.as_str(),
            Self::Validation => Split::Validation.as_str(),
            Self::Test => Split::Test.as_str(),
        }
    }

    /// The split with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Trainval, Self::Train, Self::Validation, Self::Test].into_iter().find(|split| split.as_str() == name)
    }
}
