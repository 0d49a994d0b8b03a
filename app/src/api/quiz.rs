//! The quiz.

use kenami_domain::view::quiz::{QuizFeedback, QuizState, QuizSubmission};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Where the user stands with the quiz.
#[server(prefix = "/fn")]
pub async fn read_quiz(key: String) -> Result<QuizState, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::quiz::state(&actor, &db, &key).await?)
}

/// Begins a quiz, or goes on with an open one.
#[server(prefix = "/fn")]
pub async fn begin_quiz(key: String) -> Result<QuizState, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::quiz::begin(&actor, &db, &key).await?)
}

/// Answers the next photo, and says what is right.
#[server(prefix = "/fn", input = Json)]
pub async fn answer_quiz(key: String, submission: QuizSubmission) -> Result<QuizFeedback, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::quiz::answer(&actor, &db, &key, &submission).await?)
}

/// Lets an annotator in without the quiz, or lets them take one more.
#[server(prefix = "/fn")]
pub async fn grant_quiz(key: String, annotator_id: i64, pass: bool) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::quiz::grant(&actor, &db, &key, annotator_id, pass).await?)
}
