//! Answering many photos at once: a screen of photos with the same suggestion.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{answer::Answer, view::photo::PhotoCard};

/// A photo on a screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridPhoto {
    /// Claim id, sent back with the answer.
    pub claim_id: i64,
    /// The photo.
    pub photo: PhotoCard,
    /// Probability of the suggested value.
    pub probability: f32,
}

/// Photos of one value that wait for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Value key, or `not_visible`.
    pub value: String,
    /// Photos that this annotator could still answer, counted up to [`Waiting::MOST`].
    pub photos: i64,
}

impl Waiting {
    /// Photos are counted up to here: enough to choose by, and quick among millions.
    pub const MOST: i64 = 1_000;
}

/// One screen: photos for which the same value of one attribute is suggested, the surest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridScreen {
    /// Attribute key.
    pub attribute: String,
    /// The suggested value, or `not_visible`; none where nothing waits.
    pub value: Option<String>,
    /// Where suggestions come from; none where the project has none or the annotator sees none.
    pub source_id: Option<i64>,
    /// The photos.
    pub photos: Vec<GridPhoto>,
    /// What waits under each value of the attribute, in its order, and under `not_visible` where there is some.
    pub waiting: Vec<Waiting>,
}

/// The answer to one photo of a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridAnswer {
    /// The claim.
    pub claim_id: i64,
    /// The answer: the suggested value, or what the annotator marked.
    pub answer: Answer,
    /// Made once by the page for this photo, the same on every retry.
    pub idempotency_key: Uuid,
}

/// A whole screen's answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridSubmission {
    /// Attribute key.
    pub attribute: String,
    /// The source whose suggestions were shown.
    pub source_id: i64,
    /// One per photo.
    pub answers: Vec<GridAnswer>,
    /// Milliseconds that the screen took; each photo is booked with its part.
    pub duration_ms: Option<i32>,
    /// The guideline version that was shown; none where there is none.
    pub guideline_version: Option<i32>,
}
