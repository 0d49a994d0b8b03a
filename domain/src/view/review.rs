//! Disagreements and decisions.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{answer::Answer, view::photo::PhotoCard};

/// Why a photo and attribute should be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QueueCause {
    /// The votes differ.
    #[default]
    Differ,
    /// The consensus is not sure, whoever voted how.
    Uncertain,
    /// A model that has not seen the photo contradicts the label.
    Model,
    /// An annotator is unsure.
    Unsure,
    /// An annotator has answered a gold photo otherwise than its gold answer, after that was last decided.
    Gold,
}

impl QueueCause {
    /// All causes, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::Differ, Self::Uncertain, Self::Model, Self::Unsure, Self::Gold];

    /// The cause's name in the database, in addresses and in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Differ => "differ",
            Self::Uncertain => "uncertain",
            Self::Model => "model",
            Self::Unsure => "unsure",
            Self::Gold => "gold",
        }
    }
}

impl FromStr for QueueCause {
    type Err = UnknownQueue;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word).ok_or_else(|| UnknownQueue(word.to_owned()))
    }
}

/// A word that names no queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a queue: choose differ, uncertain, model or unsure")]
pub struct UnknownQueue(pub String);

/// Labels that deserve a second look, as they were last computed over all votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suspects {
    /// Undecided photos and attributes whose consensus is uncertain.
    pub uncertain: i64,
    /// Undecided ones whose label the model contradicts.
    pub model: i64,
    /// The run whose predictions were used, if there was one.
    pub run: Option<String>,
    /// There are newer labels or a newer run.
    pub stale: bool,
    /// When they were computed.
    #[serde(with = "time::serde::rfc3339")]
    pub computed_at: OffsetDateTime,
}

/// Which disagreements to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisagreementFilter {
    /// The queue.
    #[serde(default)]
    pub cause: QueueCause,
    /// Attribute key; all attributes if none.
    pub attribute: Option<String>,
    /// Two answer keys that must both occur among the votes; only where the votes differ.
    pub pair: Option<(String, String)>,
    /// Also those that have been decided.
    #[serde(default)]
    pub decided: bool,
    /// From the previous page.
    pub cursor: Option<i64>,
}

/// One photo and attribute whose answers differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Disagreement {
    /// The photo.
    pub photo: PhotoCard,
    /// Attribute key.
    pub attribute: String,
    /// The votes that stand, oldest first.
    pub votes: Vec<Vote>,
    /// The decision that stands.
    pub decision: Option<Decision>,
    /// What a model says that has not seen the photo; only where one disagreement is asked for.
    #[serde(default)]
    pub opinion: Option<Opinion>,
}

/// What the latest run says of a photo that its model, or the fold's, was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Opinion {
    /// The run's id.
    pub run_id: i64,
    /// Its name.
    pub run: String,
    /// The run's file that shows where its network looked, if it has one of this photo and attribute.
    pub overlay: Option<String>,
    /// Value keys with their probabilities, the most probable first.
    pub probabilities: Vec<(String, f64)>,
}

/// A vote that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Vote {
    /// Annotator's name.
    pub annotator: String,
    /// The answer.
    pub answer: Answer,
    /// The annotator's note.
    pub note: String,
    /// The guideline version it was given under, where known.
    pub guideline_version: Option<i32>,
    /// Milliseconds it took, where known.
    pub duration_ms: Option<i32>,
    /// Given on a photo that was mixed in as gold: it is shown, and is no vote.
    #[serde(default)]
    pub gold: bool,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Why the votes differed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The rules do not say.
    RuleGap,
    /// The rules say, but the photo lies on the border.
    EdgeCase,
    /// An annotator's slip.
    Slip,
    /// The part is not visible.
    NotVisible,
    /// The photo does not belong here.
    WrongPhoto,
    /// Something else; see the reason.
    Other,
}

impl Cause {
    /// All causes, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::RuleGap, Self::EdgeCase, Self::Slip, Self::NotVisible, Self::WrongPhoto, Self::Other];

    /// The cause's name in the database and in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RuleGap => "rule_gap",
            Self::EdgeCase => "edge_case",
            Self::Slip => "slip",
            Self::NotVisible => "not_visible",
            Self::WrongPhoto => "wrong_photo",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cause: choose rule_gap, edge_case, slip, not_visible, wrong_photo or other")]
pub struct UnknownCause(pub String);

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word).ok_or_else(|| UnknownCause(word.to_owned()))
    }
}

/// A reviewer's decision as the page sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecisionInput {
    /// The photo.
    pub photo_id: i64,
    /// Attribute key.
    pub attribute: String,
    /// The answer that holds.
    pub answer: Answer,
    /// Why the votes differed.
    pub cause: Cause,
    /// Why this answer; at most 1,000 characters.
    pub reason: String,
}

/// A decision that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// The answer that holds.
    pub answer: Answer,
    /// Why the votes differed.
    pub cause: Cause,
    /// Why this answer.
    pub reason: String,
    /// Who decided.
    pub reviewer: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Two answers that stand against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DisputedPair {
    /// Attribute key.
    pub attribute: String,
    /// The answer key that sorts first.
    pub a: String,
    /// The other.
    pub b: String,
    /// Photos whose votes hold both, decided or not.
    pub photos: i64,
    /// Those that nobody has decided.
    pub open: i64,
}

/// How well annotators agree on one attribute. Undefined figures are none, with the reason beside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeAgreement {
    /// Attribute key.
    pub attribute: String,
    /// Photos with two or more votes.
    pub photos: i64,
    /// Votes on them.
    pub votes: i64,
    /// Mean over photos of the share of agreeing pairs, 0 to 1.
    pub percent: Option<f64>,
    /// Krippendorff's alpha, nominal, with not visible and unsure as values.
    pub alpha: Option<f64>,
    /// The same with not visible and unsure as missing.
    pub alpha_not_visible_missing: Option<f64>,
    /// Why a figure is undefined.
    pub undefined: Option<String>,
}

/// What agreement is parted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgreementBy {
    /// The guideline's version under which votes were given: only votes under the same one are compared.
    Version,
    /// The week of the vote that completed a photo.
    Week,
    /// The value of a given attribute, by its key.
    Given(String),
}

/// The group of votes whose guideline version nobody knows (imported ones).
pub const UNKNOWN_VERSION: &str = "unknown";

impl AgreementBy {
    /// The word for [`Self::Version`].
    pub const VERSION: &'static str = "guideline_version";
    /// The word for [`Self::Week`].
    pub const WEEK: &'static str = "week";

    /// The word in addresses and in REST; a given attribute's key is its own.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Version => Self::VERSION,
            Self::Week => Self::WEEK,
            Self::Given(key) => key,
        }
    }
}

impl From<&str> for AgreementBy {
    fn from(word: &str) -> Self {
        match word {
            Self::VERSION => Self::Version,
            Self::WEEK => Self::Week,
            key => Self::Given(key.to_owned()),
        }
    }
}
