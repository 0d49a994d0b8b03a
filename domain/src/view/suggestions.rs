//! Suggestions: where they come from, what they propose, and how far they pull answers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What the page proposes for one attribute of a photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suggestion {
    /// Where it comes from.
    pub source_id: i64,
    /// Value key, or `not_visible`.
    pub value: String,
    /// From 0 to 1.
    pub probability: f32,
}

/// What suggestions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A finished run's predictions, weighed with the project's priors where it has them.
    Run,
    /// Predictions from a file.
    Import,
    /// The project's priors, as breed standards.
    Standards,
}

impl SourceKind {
    /// Its word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Import => "import",
            Self::Standards => "standards",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Run, Self::Import, Self::Standards].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The source that is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SuggestionSource {
    /// Id.
    pub id: i64,
    /// What it is made of.
    pub kind: SourceKind,
    /// The run's name, the file's, or "standards".
    pub name: String,
    /// Share of pairs of a photo and an annotator that never see a suggestion.
    pub control_share: f32,
    /// Photos with a suggestion, per attribute key.
    pub photos: Vec<(String, i64)>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A wish for a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceInput {
    /// `run` or `standards`; files have an operation of their own.
    pub kind: SourceKind,
    /// Of kind `run`: the run's name; none for the latest finished one.
    #[serde(default)]
    pub run: Option<String>,
    /// From 0 to 1.
    pub control_share: f32,
}

/// One line of a file with predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PredictionRow {
    /// Photo name.
    pub image: String,
    /// Attribute key.
    pub attribute: String,
    /// Value key, or `not_visible`.
    pub answer: String,
    /// From 0 to 1.
    pub probability: f32,
}

/// How often answers agree with the suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agreeing {
    /// Standing labels of photos that have a suggestion.
    pub labels: i64,
    /// Those with the suggested value.
    pub agree: i64,
}

impl Agreeing {
    /// The share that agrees; none of none.
    pub fn share(self) -> Option<f64> {
        (self.labels > 0).then(|| self.agree as f64 / self.labels as f64)
    }
}

/// How far suggestions pull the answers to one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pull {
    /// Attribute key.
    pub attribute: String,
    /// Labels given without seeing the suggestion that there was.
    pub unseen: Agreeing,
    /// Labels given one photo at a time, beside the suggestion.
    pub seen: Agreeing,
    /// Labels given in the grid, where the suggestion is the default.
    pub grid: Agreeing,
}

impl Pull {
    /// Agreement with the suggestion seen one at a time, less that without seeing it; none where one of them is missing.
    pub fn difference(&self) -> Option<f64> {
        Some(self.seen.share()? - self.unseen.share()?)
    }
}
