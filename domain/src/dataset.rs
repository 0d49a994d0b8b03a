//! An exported dataset as other programs read it: `dataset.json` (one [`Manifest`]), `items.jsonl` (one [`Item`] a line)
//! and `images/`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    answer::Answer,
    schema::{Attribute, Prior},
};

/// How several answers about one photo become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The reviewer's decision where there is one, else the majority. The default.
    #[default]
    AdjudicatedFirst,
    /// The majority alone; a tie stays a tie.
    Majority,
    /// Dawid-Skene's posterior mode.
    DawidSkene,
    /// CROWDLAB with a run's out-of-sample probabilities.
    Crowdlab,
}

impl Policy {
    /// The policy's name on the command line and in dataset.json.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdjudicatedFirst => "adjudicated-first",
            Self::Majority => "majority",
            Self::DawidSkene => "dawid-skene",
            Self::Crowdlab => "crowdlab",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no consensus policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a policy: choose adjudicated-first, majority, dawid-skene or crowdlab")]
pub struct UnknownPolicy(pub String);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::AdjudicatedFirst, Self::Majority, Self::DawidSkene, Self::Crowdlab]
            .into_iter()
            .find(|policy| policy.as_str() == word)
            .ok_or_else(|| UnknownPolicy(word.to_owned()))
    }
}

/// The part of a dataset that a photo belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Parameters are fitted on it.
    Train,
    /// Choices are made on it.
    Validation,
    /// Looked at once.
    Test,
}

impl Split {
    /// All splits, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The split's name in items.jsonl.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A dataset's schema as exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Schema {
    /// Given and annotated attributes, in the project's order.
    pub attributes: Vec<Attribute>,
}

/// `dataset.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Manifest {
    /// The dataset's name, unique per server.
    pub name: String,
    /// The project's key.
    #[serde(default)]
    pub project: String,
    /// Content hash (blake3, hex) over schema, policy, priors, items and image bytes' hashes.
    pub hash: String,
    /// Attributes and values at freezing.
    pub schema: Schema,
    /// How answers became one.
    pub policy: Policy,
    /// The seed of the split.
    #[serde(default)]
    pub seed: u64,
    /// Breed standards and the like, at freezing.
    #[serde(default)]
    pub priors: Vec<Prior>,
    /// Guideline version per annotated attribute at freezing.
    #[serde(default)]
    pub guideline_versions: BTreeMap<String, i32>,
    /// Photos in the dataset.
    #[serde(default)]
    pub items: usize,
}

impl Manifest {
    /// That of a dataset which no server froze: nothing is known but its name and attributes.
    pub fn new(name: impl Into<String>, schema: Schema) -> Self {
        Self {
            name: name.into(),
            project: String::new(),
            hash: String::new(),
            schema,
            policy: Policy::default(),
            seed: 0,
            priors: Vec::new(),
            guideline_versions: BTreeMap::new(),
            items: 0,
        }
    }
}

/// One line of `items.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Item {
    /// Path below the dataset's folder, with `/`: `images/a.jpg`.
    pub image: String,
    /// The part it belongs to.
    pub split: Split,
    /// Given attributes: value key per attribute key.
    #[serde(default)]
    pub given: BTreeMap<String, String>,
    /// The consensus per annotated attribute; absent where there is no vote or a tie.
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
    /// Distribution over values per annotated attribute (not visible and unsure left out), empty where no vote is a value:
    /// the vote shares, the decided value alone, or the posterior; `crate::freeze` says which.
    #[serde(default)]
    pub targets: BTreeMap<String, BTreeMap<String, f64>>,
    /// 1 where the target may be trained on, 0 where it may not (tie, not visible, unsure, no vote).
    #[serde(default)]
    pub masks: BTreeMap<String, u8>,
    /// Votes per annotated attribute and answer key, before any policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<String, BTreeMap<String, u32>>,
    /// blake3 of the image's bytes, hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_hash: String,
}

impl Item {
    /// A photo of which nothing is known but its place.
    pub fn new(image: impl Into<String>, split: Split) -> Self {
        Self {
            image: image.into(),
            split,
            given: BTreeMap::new(),
            answers: BTreeMap::new(),
            targets: BTreeMap::new(),
            masks: BTreeMap::new(),
            votes: BTreeMap::new(),
            image_hash: String::new(),
        }
    }
}
