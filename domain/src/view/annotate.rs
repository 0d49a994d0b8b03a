//! Annotating: claimed photos, answers, progress.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    answer::Answer,
    view::{photo::PhotoCard, suggestions::Suggestion},
};

/// A photo that the annotator holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimedPhoto {
    /// Claim id, sent back with the answers.
    pub claim_id: i64,
    /// The photo.
    pub photo: PhotoCard,
    /// When the slot goes back to the queue.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Answers that the annotator gave before (undo, or labels put in doubt), per attribute key.
    pub answers: BTreeMap<String, GivenAnswer>,
    /// Attribute keys whose earlier answer a newer guideline puts in doubt.
    pub in_doubt: Vec<String>,
    /// What is proposed, per attribute key; nothing for those who see no suggestions.
    #[serde(default)]
    pub suggestions: BTreeMap<String, Suggestion>,
}

/// An answer with its note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenAnswer {
    /// The answer.
    pub answer: Answer,
    /// What is missing in the rules; for unsure answers mostly.
    #[serde(default)]
    pub note: String,
}

/// One attribute's answer as the page sends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerInput {
    /// Attribute key.
    pub attribute: String,
    /// The answer.
    pub answer: Answer,
    /// At most 1,000 characters.
    #[serde(default)]
    pub note: String,
    /// Milliseconds from the attribute coming into focus to the answer.
    pub duration_ms: Option<i32>,
    /// The guideline version that was shown; none where there is none.
    pub guideline_version: Option<i32>,
    /// The suggestion that was shown beside it, if any.
    #[serde(default)]
    pub suggestion: Option<Suggestion>,
}

/// All answers of one claimed photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The claim.
    pub claim_id: i64,
    /// One per annotated attribute; all of them are needed to finish the photo.
    pub answers: Vec<AnswerInput>,
    /// Made once by the page, the same on every retry: a repeated submission changes nothing.
    pub idempotency_key: Uuid,
}

/// The annotator's own progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MyProgress {
    /// Photos that this annotator finished.
    pub done: i64,
    /// Photos that this annotator holds or could still get.
    pub open: i64,
    /// Slots of the whole project that are answered.
    pub project_done: i64,
    /// Slots of the whole project.
    pub project_total: i64,
}

/// An answer to "give me photos".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claimed {
    /// Held photos, in the order in which they are to be shown.
    pub photos: Vec<ClaimedPhoto>,
    /// How far the annotator is.
    pub progress: MyProgress,
    /// Open slots that others hold now: they may come back.
    pub held_by_others: i64,
    /// Why there are no photos for this annotator, whatever is open.
    #[serde(default)]
    pub stopped: Option<Stopped>,
}

/// Why somebody is given no photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// A lead has paused them.
    Paused,
    /// The quiz comes first.
    Quiz,
}
