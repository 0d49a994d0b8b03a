//! Labels: who said what of which photo.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::header,
    response::{IntoResponse, Response},
};
use kenami_domain::{
    answer::Answer,
    csvio::{self, LabelRow},
};
use kenami_store::{db::Db, error::Error, labels};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Listing, Paging, Params},
};
use crate::web::{
    AppState,
    error::{AppError, AppResult},
};

/// Bytes of a table of labels at most.
const MAX_TABLE: usize = 64 << 20;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export, import)).layer(DefaultBodyLimit::max(MAX_TABLE))
}

/// A label that stands
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Label {
    /// The photo's name.
    image: String,
    /// The annotator's name.
    annotator: String,
    /// Attribute key.
    attribute: String,
    /// The answer.
    answer: Answer,
    /// Milliseconds it took, where known.
    duration_ms: Option<u32>,
    /// The annotator's note.
    note: Option<String>,
}

impl From<LabelRow> for Label {
    fn from(row: LabelRow) -> Self {
        let LabelRow { image, annotator, attribute, answer, duration_ms, note, .. } = row;
        Self { image, annotator, attribute, answer, duration_ms, note }
    }
}

/// Labels that stand, by photo name; `limit` counts photos
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/labels", tag = "labels",
    params(("project" = String, Path, description = "Its key"), Paging),
    responses((status = 200, body = Listing<Label>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Params(paging): Params<Paging>,
) -> AppResult<Json<Listing<Label>>> {
    let photos = i64::try_from(paging.limit()).unwrap_or(i64::MAX);
    let (rows, next_cursor) = labels::export_page(&actor, &db, &project, paging.text(), photos).await?;
    Ok(Json(Listing { items: rows.into_iter().map(Label::from).collect(), next_cursor }))
}

/// All labels that stand, as CSV
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/labels.csv", tag = "labels",
    params(("project" = String, Path, description = "Its key")),
    responses(
        (status = 200, description = "image,annotator,attribute,answer,duration_ms,note", content_type = "text/csv"),
        Refused
    )
)]
async fn export(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Response> {
    let rows = labels::export(&actor, &db, &project).await?;
    let mut table = Vec::new();
    csvio::write_labels(&mut table, &rows).map_err(AppError::internal)?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], table).into_response())
}

/// What came of a table of labels
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Imported {
    /// Labels that came in.
    imported: u64,
    /// Labels that stood already.
    unchanged: u64,
    /// Rows that were left out.
    problems: Vec<Problem>,
}

/// A row that was left out
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LabelProblem)]
struct Problem {
    /// Line in the table, from 1.
    line: u64,
    /// Why.
    reason: String,
}

/// Bring labels in from CSV: image,annotator,attribute,answer[,duration_ms,note]
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/labels.csv", tag = "labels",
    params(("project" = String, Path, description = "Its key")),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported), Refused)
)]
async fn import(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    table: Bytes,
) -> AppResult<Json<Imported>> {
    let read = csvio::read_labels(&*table).map_err(|error| Error::invalid("body", error.to_string()))?;
    let done = labels::import(&actor, &db, &project, &read.value).await?;
    let unread = read.errors.iter().map(|error| Problem { line: error.line, reason: error.to_string() });
    let refused = done.problems.into_iter().map(|(line, reason)| Problem { line, reason });
    let mut problems: Vec<Problem> = unread.chain(refused).collect();
    problems.sort_by_key(|problem| problem.line);
    Ok(Json(Imported { imported: done.imported, unchanged: done.unchanged, problems }))
}
