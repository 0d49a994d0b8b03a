//! How annotators work, and how far the project is: for leads.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{answer::Answer, roles::Role, view::quiz::QuizResult};

/// One annotator in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnnotatorRow {
    /// Annotator id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Role; none for imported names and those who have left.
    pub role: Option<Role>,
    /// Photos finished, gold ones included.
    pub photos_done: i64,
    /// Median milliseconds a photo, where known.
    pub median_ms: Option<f64>,
    /// When they last finished a photo.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_at: Option<OffsetDateTime>,
    /// Answers to gold photos.
    pub gold: Right,
    /// The last finished quiz.
    pub quiz: Option<QuizResult>,
    /// A lead let them in without a passed quiz.
    pub quiz_excused: bool,
    /// They have failed the quiz and wait for a lead.
    pub quiz_waiting: bool,
    /// Since when they are on pause.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_at: Option<OffsetDateTime>,
    /// Labels in a lead's doubt.
    pub doubted: i64,
}

/// Right answers of some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Right {
    /// Answers.
    pub answers: i64,
    /// Right ones.
    pub right: i64,
}

impl Right {
    /// The share that is right; none of none.
    pub fn share(self) -> Option<f64> {
        (self.answers > 0).then(|| self.right as f64 / self.answers as f64)
    }
}

/// All about one annotator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnnotatorReport {
    /// The row of the list.
    pub annotator: AnnotatorRow,
    /// How fast.
    pub speed: Speed,
    /// Per annotated attribute, in order.
    pub attributes: Vec<AttributeReport>,
    /// Finished quizzes, the first one first.
    pub quizzes: Vec<QuizResult>,
    /// Doubts about their labels, newest first.
    pub doubts: Vec<DoubtRow>,
}

/// How fast somebody answers. Milliseconds a photo, summed over its attributes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Speed {
    /// Photos with a known time.
    pub photos: i64,
    /// First quartile.
    pub lower_ms: Option<f64>,
    /// Median.
    pub median_ms: Option<f64>,
    /// Third quartile.
    pub upper_ms: Option<f64>,
    /// Photos finished on each of the last 30 days on which there were any, oldest first.
    pub days: Vec<DayCount>,
}

/// Photos of one day (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayCount {
    /// The day: `2026-11-27`.
    pub day: String,
    /// Photos finished.
    pub photos: i64,
}

/// How somebody answers one attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeReport {
    /// Attribute key.
    pub attribute: String,
    /// Standing answers.
    pub labels: i64,
    /// Of these unsure ones.
    pub unsure: i64,
    /// Of these "not visible".
    pub not_visible: i64,
    /// Answers to gold photos.
    pub gold: Right,
    /// The 95 % interval of the share of right answers (Wilson).
    pub gold_interval: Option<[f64; 2]>,
    /// Pairs of an answer of theirs and one of somebody else to the same photo.
    pub pairs: i64,
    /// Share of these pairs that agree.
    pub percent: Option<f64>,
    /// Krippendorff's alpha of these pairs, nominal, with not visible and unsure as values.
    pub alpha: Option<f64>,
    /// Why alpha is undefined.
    pub undefined: Option<String>,
    /// Against the consensus: the decision, or what most of the others say.
    pub confusion: Confusion,
}

/// Consensus down, answers across.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Confusion {
    /// The answers of rows and columns, in the attribute's order.
    pub answers: Vec<Answer>,
    /// Photos per consensus (row) and answer (column).
    pub counts: Vec<Vec<i64>>,
}

/// Which labels of an annotator are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoubtInput {
    /// Of this attribute alone.
    #[serde(default)]
    pub attribute: Option<String>,
    /// Given from this moment on.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// Why; at most 1,000 characters.
    #[serde(default)]
    pub reason: String,
}

/// How many labels a doubt concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoubtCount {
    /// Labels.
    pub labels: i64,
    /// Their photos, which go back to the queue.
    pub photos: i64,
}

/// A doubt about an annotator's labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoubtRow {
    /// Id.
    pub id: i64,
    /// Attribute key; none for all of them.
    pub attribute: Option<String>,
    /// Labels from this moment on; none for all.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// Why.
    pub reason: String,
    /// Labels that it took.
    pub labels: i64,
    /// Photos that it sent back to the queue.
    pub photos: i64,
    /// Who doubts.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was taken back.
    #[serde(with = "time::serde::rfc3339::option")]
    pub undone_at: Option<OffsetDateTime>,
}

/// How far a project is, and for how long it goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgressReport {
    /// Photos to be answered, duplicates left out.
    pub photos: i64,
    /// Photos with every answer that they need.
    pub photos_done: i64,
    /// Votes that are in; one is an annotator's answers to one photo.
    pub votes_done: i64,
    /// Votes that are still needed.
    pub votes_left: i64,
    /// Annotators who finished a photo in the last 24 hours.
    pub active: i64,
    /// Median milliseconds a photo of the last 24 hours.
    pub median_ms: Option<f64>,
    /// Per annotated attribute, in order.
    pub attributes: Vec<AttributeProgress>,
    /// Key of the first given attribute, if there is one.
    pub given: Option<String>,
    /// Per value of it, in order.
    pub values: Vec<ValueProgress>,
    /// Votes of each of the last 30 days on which there were any, oldest first.
    pub days: Vec<DayCount>,
    /// When it was counted.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub counted_at: Option<OffsetDateTime>,
}

impl ProgressReport {
    /// Milliseconds until all votes are in at the speed of the last 24 hours: median time a photo x votes left / active
    /// annotators. None where nobody was active or nothing is left.
    pub fn left_ms(&self) -> Option<f64> {
        if self.active == 0 || self.votes_left == 0 {
            return None;
        }
        Some(self.median_ms? * self.votes_left as f64 / self.active as f64)
    }
}

/// Votes on one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeProgress {
    /// Attribute key.
    pub attribute: String,
    /// Votes for a value.
    pub values: i64,
    /// Votes for "not visible".
    pub not_visible: i64,
    /// Unsure votes.
    pub unsure: i64,
}

/// Photos of one value of the given attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueProgress {
    /// Value key.
    pub value: String,
    /// Photos.
    pub photos: i64,
    /// Photos with every answer that they need.
    pub photos_done: i64,
    /// Votes that are still needed.
    pub votes_left: i64,
}
