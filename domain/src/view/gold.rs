//! Gold photos: the right answers that a lead has set.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{answer::Answer, view::photo::PhotoCard};

/// The right answer to one attribute of a gold photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoldAnswer {
    /// Id.
    pub id: i64,
    /// The photo.
    pub photo: PhotoCard,
    /// Attribute key.
    pub attribute: String,
    /// What is right: a value or `not_visible`.
    pub answer: Answer,
    /// Why, shown after a wrong answer in the quiz.
    pub explanation: String,
    /// Who made it gold.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Standing answers to it that annotators gave without knowing that it is gold.
    pub answers: i64,
    /// Those that are right.
    pub right: i64,
}

/// What a project has of gold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoldSummary {
    /// Gold photos.
    pub photos: i64,
    /// Their right answers.
    pub answers: i64,
    /// Photos with a decision that could be made gold.
    pub decided: i64,
}

/// A row of a table of gold answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldRow {
    /// Line in the file, from 1; 0 elsewhere.
    pub line: u64,
    /// Photo name.
    pub image: String,
    /// Attribute key.
    pub attribute: String,
    /// What is right: a value or `not_visible`.
    pub answer: Answer,
    /// Why; at most 1,000 characters.
    pub explanation: String,
}

/// What came of a table of gold answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldImport {
    /// Answers that are gold now and were not, or were another.
    pub made: u64,
    /// Rows that say what was gold already.
    pub unchanged: u64,
    /// Rows that were left out: line, and why.
    pub problems: Vec<(u64, String)>,
}
