//! Frozen datasets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::dataset::{Manifest, Policy, Split};

/// A dataset in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetRow {
    /// Dataset id.
    pub id: i64,
    /// Unique in the project.
    pub name: String,
    /// How answers became one.
    pub policy: Policy,
    /// Content hash, hex.
    pub hash: String,
    /// Photos.
    pub photos: i64,
    /// Who froze it.
    pub created_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A dataset with its counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetDetail {
    /// The row.
    pub row: DatasetRow,
    /// dataset.json.
    pub manifest: Manifest,
    /// What it holds.
    pub summary: DatasetSummary,
}

/// What a frozen dataset holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatasetSummary {
    /// Photos per split.
    pub splits: BTreeMap<Split, i64>,
    /// Per annotated attribute.
    pub attributes: BTreeMap<String, AttributeSummary>,
    /// What the freeze warned of (duplicates parted by an official split, renamed files).
    pub warnings: Vec<String>,
}

/// What a frozen dataset holds of one annotated attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeSummary {
    /// Photos that can be trained on.
    pub usable: i64,
    /// Photos decided by a reviewer.
    pub adjudicated: i64,
    /// Photos whose votes tie.
    pub tied: i64,
    /// Photos whose winner is not visible.
    pub not_visible: i64,
    /// Photos whose winner is unsure.
    pub unsure: i64,
    /// Photos without a vote.
    pub unlabelled: i64,
    /// Photos per winning value, among the usable.
    pub values: BTreeMap<String, i64>,
}

/// What a lead sends to freeze a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FreezeInput {
    /// Unique in the project; letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// How answers become one.
    #[serde(default)]
    pub policy: Policy,
    /// Name of the run whose probabilities CROWDLAB uses.
    #[serde(default)]
    pub run: Option<String>,
    /// Seed of the split.
    #[serde(default)]
    pub seed: u64,
}

/// The formats that a dataset can be exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// One row a photo.
    Csv,
    /// items.jsonl alone.
    Jsonl,
    /// What `kenami train` reads: dataset.json, items.jsonl, images/.
    Folder,
    /// Class folders and metadata.jsonl.
    Imagefolder,
}

impl ExportFormat {
    /// All formats, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Jsonl, Self::Folder, Self::Imagefolder];

    /// The format's name on the command line and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Folder => "folder",
            Self::Imagefolder => "imagefolder",
        }
    }
}

/// A word that is no export format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an export format: choose csv, jsonl, folder or imagefolder")]
pub struct UnknownFormat(pub String);

impl std::str::FromStr for ExportFormat {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == word).ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}
