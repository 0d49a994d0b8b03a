//! The quiz on gold photos before an annotator's first real one.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{answer::Answer, view::photo::PhotoCard};

/// Where an annotator stands with the quiz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizState {
    /// Photos of a quiz; 0 where the project has none.
    pub length: i16,
    /// Share of right answers that passes.
    pub pass_mark: f64,
    /// The quiz comes before any photo.
    pub due: bool,
    /// A quiz (or another one) can be begun.
    pub can_begin: bool,
    /// The open quiz' next photo.
    pub question: Option<QuizQuestion>,
    /// Finished quizzes, the first one first.
    pub results: Vec<QuizResult>,
}

/// A photo of a quiz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizQuestion {
    /// The quiz.
    pub quiz_id: i64,
    /// Which photo of it, from 1.
    pub number: i64,
    /// Of how many.
    pub of: i64,
    /// The photo.
    pub photo: PhotoCard,
    /// Keys of the attributes that are asked.
    pub attributes: Vec<String>,
}

/// A finished quiz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizResult {
    /// 1 for the first.
    pub attempt: i16,
    /// Answers.
    pub answers: i64,
    /// Right ones.
    pub right: i64,
    /// Share of right answers, 0 to 1.
    pub score: f64,
    /// Whether the score passes.
    pub passed: bool,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
}

/// Answers to one photo of a quiz.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizSubmission {
    /// The quiz.
    pub quiz_id: i64,
    /// The photo.
    pub photo_id: i64,
    /// One an attribute that is asked.
    pub answers: Vec<QuizAnswer>,
}

/// One attribute's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizAnswer {
    /// Attribute key.
    pub attribute: String,
    /// The answer.
    pub answer: Answer,
    /// Milliseconds, where known.
    pub duration_ms: Option<i32>,
}

/// What came of the answers to one photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizFeedback {
    /// One an attribute.
    pub marks: Vec<QuizMark>,
    /// Where the annotator stands now.
    pub state: QuizState,
}

/// Whether one answer is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuizMark {
    /// Attribute key.
    pub attribute: String,
    /// What was answered.
    pub given: Answer,
    /// What is right.
    pub right: Answer,
    /// Whether they are the same.
    pub correct: bool,
    /// Why, in the lead's words.
    pub explanation: String,
}
