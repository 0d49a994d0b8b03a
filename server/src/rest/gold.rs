//! Gold photos: right answers that a lead has set.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
};
use kenami_domain::{
    csvio,
    view::gold::{GoldAnswer, GoldSummary},
};
use kenami_store::{db::Db, error::Error, gold};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing, Paging, Params},
};
use crate::web::{AppState, error::AppResult};

/// Bytes of a table of gold answers at most.
const MAX_TABLE: usize = 16 << 20;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, make, put))
        .routes(routes!(summary))
        .routes(routes!(make_many))
        .routes(routes!(remove))
        .layer(DefaultBodyLimit::max(MAX_TABLE))
}

/// Gold answers, newest first
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/gold", tag = "gold",
    params(("project" = String, Path, description = "Its key"), Paging),
    responses((status = 200, body = Listing<GoldAnswer>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Params(paging): Params<Paging>,
) -> AppResult<Json<Listing<GoldAnswer>>> {
    Ok(Json(gold::list(&actor, &db, &project, paging.number()?, paging.limit()).await?.into()))
}

/// What a project has of gold
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/gold/summary", tag = "gold",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = GoldSummary), Refused)
)]
async fn summary(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<GoldSummary>> {
    Ok(Json(gold::summary(&actor, &db, &project).await?))
}

/// A decision to make gold
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Decided {
    /// The photo.
    photo_id: i64,
    /// Attribute key.
    attribute: String,
}

/// Make the decision about one attribute of a photo gold
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/gold", tag = "gold",
    params(("project" = String, Path, description = "Its key")), request_body = Decided,
    responses((status = 204, description = "It is gold"), Refused)
)]
async fn make(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(decided): Body<Decided>,
) -> AppResult<StatusCode> {
    gold::make(&actor, &db, &project, decided.photo_id, &decided.attribute).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many photos with decisions to make gold
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Many {
    /// 1 to 1,000.
    photos: usize,
}

/// What was made gold
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Made {
    /// Photos.
    photos: u64,
}

/// Make photos with decisions gold, chosen by chance
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/gold/decided", tag = "gold",
    params(("project" = String, Path, description = "Its key")), request_body = Many,
    responses((status = 200, body = Made), Refused)
)]
async fn make_many(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(many): Body<Many>,
) -> AppResult<Json<Made>> {
    Ok(Json(Made { photos: gold::make_many(&actor, &db, &project, many.photos).await? }))
}

/// What came of a table of gold answers
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct GoldImported {
    /// Answers that are gold now and were not, or were another.
    made: u64,
    /// Rows that say what was gold already.
    unchanged: u64,
    /// Rows that were left out.
    problems: Vec<Problem>,
}

/// A row that was left out
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = GoldProblem)]
struct Problem {
    /// Line in the table, from 1.
    line: u64,
    /// Why.
    reason: String,
}

/// Make answers gold from CSV: image,attribute,answer[,explanation]; each also decides
#[utoipa::path(
    put, path = "/api/v1/projects/{project}/gold", tag = "gold",
    params(("project" = String, Path, description = "Its key")),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = GoldImported), Refused)
)]
async fn put(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    table: Bytes,
) -> AppResult<Json<GoldImported>> {
    let read = csvio::read_gold(&*table).map_err(|error| Error::invalid("body", error.to_string()))?;
    let done = gold::put(&actor, &db, &project, &read.value).await?;
    let unread = read.errors.iter().map(|error| Problem { line: error.line, reason: error.to_string() });
    let refused = done.problems.into_iter().map(|(line, reason)| Problem { line, reason });
    let mut problems: Vec<Problem> = unread.chain(refused).collect();
    problems.sort_by_key(|problem| problem.line);
    Ok(Json(GoldImported { made: done.made, unchanged: done.unchanged, problems }))
}

/// Take one attribute of a photo out of the gold
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/gold/{photo}/{attribute}", tag = "gold",
    params(
        ("project" = String, Path, description = "Its key"),
        ("photo" = i64, Path, description = "Its id"),
        ("attribute" = String, Path, description = "Its key")
    ),
    responses((status = 204, description = "It is gold no longer"), Refused)
)]
async fn remove(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, photo, attribute)): At<(String, i64, String)>,
) -> AppResult<StatusCode> {
    gold::remove(&actor, &db, &project, photo, &attribute).await?;
    Ok(StatusCode::NO_CONTENT)
}
