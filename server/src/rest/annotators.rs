//! Annotators: how they work, pauses, doubts, the quiz; and the project's progress.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::view::{
    quiz::{QuizFeedback, QuizState, QuizSubmission},
    report::{AnnotatorReport, AnnotatorRow, DoubtCount, DoubtInput, ProgressReport},
};
use kenami_store::{db::Db, oversight, quiz, reports};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing},
};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(mine))
        .routes(routes!(read))
        .routes(routes!(pause, resume))
        .routes(routes!(grant))
        .routes(routes!(doubt_count))
        .routes(routes!(doubt))
        .routes(routes!(undo_doubt))
        .routes(routes!(quiz_state))
        .routes(routes!(quiz_begin))
        .routes(routes!(quiz_answer))
        .routes(routes!(progress))
}

/// Everybody who labels in the project
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/annotators", tag = "annotators",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<AnnotatorRow>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<AnnotatorRow>>> {
    Ok(Json(reports::annotators(&actor, &db, &project).await?.into()))
}

/// One's own report; null before the first photo
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/annotators/me", tag = "annotators",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Option<AnnotatorReport>), Refused)
)]
async fn mine(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Option<AnnotatorReport>>> {
    Ok(Json(reports::mine(&actor, &db, &project).await?))
}

/// How one annotator works
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/annotators/{annotator}", tag = "annotators",
    params(("project" = String, Path, description = "Its key"), ("annotator" = i64, Path, description = "Its id")),
    responses((status = 200, body = AnnotatorReport), Refused)
)]
async fn read(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator)): At<(String, i64)>,
) -> AppResult<Json<AnnotatorReport>> {
    Ok(Json(reports::annotator(&actor, &db, &project, annotator).await?))
}

/// Give an annotator no more photos
#[utoipa::path(
    put, path = "/api/v1/projects/{project}/annotators/{annotator}/pause", tag = "annotators",
    params(("project" = String, Path, description = "Its key"), ("annotator" = i64, Path, description = "Its id")),
    responses((status = 204, description = "They are on pause"), Refused)
)]
async fn pause(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator)): At<(String, i64)>,
) -> AppResult<StatusCode> {
    oversight::pause(&actor, &db, &project, annotator).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a pause
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/annotators/{annotator}/pause", tag = "annotators",
    params(("project" = String, Path, description = "Its key"), ("annotator" = i64, Path, description = "Its id")),
    responses((status = 204, description = "They are given photos"), Refused)
)]
async fn resume(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator)): At<(String, i64)>,
) -> AppResult<StatusCode> {
    oversight::resume(&actor, &db, &project, annotator).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is allowed to somebody who has failed the quiz
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Grant {
    /// True: they annotate without a passed quiz. False: they may take one more.
    pass: bool,
}

/// Let an annotator in without the quiz, or let them take one more
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/annotators/{annotator}/quiz", tag = "annotators",
    params(("project" = String, Path, description = "Its key"), ("annotator" = i64, Path, description = "Its id")),
    request_body = Grant,
    responses((status = 204, description = "It is allowed"), Refused)
)]
async fn grant(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator)): At<(String, i64)>,
    Body(grant): Body<Grant>,
) -> AppResult<StatusCode> {
    quiz::grant(&actor, &db, &project, annotator, grant.pass).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many labels a doubt would concern
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/annotators/{annotator}/doubts/count", tag = "annotators",
    params(("project" = String, Path, description = "Its key"), ("annotator" = i64, Path, description = "Its id")),
    request_body = DoubtInput,
    responses((status = 200, body = DoubtCount), Refused)
)]
async fn doubt_count(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator)): At<(String, i64)>,
    Body(input): Body<DoubtInput>,
) -> AppResult<Json<DoubtCount>> {
    Ok(Json(oversight::doubt_count(&actor, &db, &project, annotator, &input).await?))
}

/// Put labels in doubt: they are no votes, and their photos go to others
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/annotators/{annotator}/doubts", tag = "annotators",
    params(("project" = String, Path, description = "Its key"), ("annotator" = i64, Path, description = "Its id")),
    request_body = DoubtInput,
    responses((status = 201, body = DoubtCount), Refused)
)]
async fn doubt(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator)): At<(String, i64)>,
    Body(input): Body<DoubtInput>,
) -> AppResult<(StatusCode, Json<DoubtCount>)> {
    Ok((StatusCode::CREATED, Json(oversight::doubt(&actor, &db, &project, annotator, &input).await?)))
}

/// Take a doubt back
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/annotators/{annotator}/doubts/{doubt}", tag = "annotators",
    params(
        ("project" = String, Path, description = "Its key"),
        ("annotator" = i64, Path, description = "Its id"),
        ("doubt" = i64, Path, description = "Its id")
    ),
    responses((status = 204, description = "The labels are votes again"), Refused)
)]
async fn undo_doubt(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, annotator, doubt)): At<(String, i64, i64)>,
) -> AppResult<StatusCode> {
    oversight::undo_doubt(&actor, &db, &project, annotator, doubt).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where one stands with the quiz
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/quiz", tag = "quiz",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = QuizState), Refused)
)]
async fn quiz_state(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<QuizState>> {
    Ok(Json(quiz::state(&actor, &db, &project).await?))
}

/// Begin a quiz, or go on with an open one
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/quiz/begin", tag = "quiz",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = QuizState), Refused)
)]
async fn quiz_begin(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<QuizState>> {
    Ok(Json(quiz::begin(&actor, &db, &project).await?))
}

/// Answer the next photo of the quiz
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/quiz/answers", tag = "quiz",
    params(("project" = String, Path, description = "Its key")), request_body = QuizSubmission,
    responses((status = 200, body = QuizFeedback), Refused)
)]
async fn quiz_answer(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(submission): Body<QuizSubmission>,
) -> AppResult<Json<QuizFeedback>> {
    Ok(Json(quiz::answer(&actor, &db, &project, &submission).await?))
}

/// How far a project is, by attribute and breed, and for how long it goes on
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/progress/report", tag = "projects",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = ProgressReport), Refused)
)]
async fn progress(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<ProgressReport>> {
    Ok(Json(reports::progress(&actor, &db, &project).await?))
}
