//! What the page suggests, where it comes from, and how far it pulls answers.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::view::suggestions::{PredictionRow, Pull, SourceInput, SuggestionSource};
use kenami_store::{db::Db, suggestions};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body},
};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, switch_on, switch_off)).routes(routes!(import))
}

/// Suggestions of a project
#[derive(Serialize, utoipa::ToSchema)]
struct Suggestions {
    /// The source in use; none where nothing is suggested.
    source: Option<SuggestionSource>,
    /// Agreement with the suggestion by whether it was seen, per attribute.
    pulls: Vec<Pull>,
}

/// Predictions from elsewhere
#[derive(Deserialize, utoipa::ToSchema)]
struct Predictions {
    /// What the source is called.
    name: String,
    /// Share of pairs of a photo and an annotator that never see a suggestion, from 0 to 1.
    control_share: f32,
    /// Of several rows of one photo and attribute the most probable one counts.
    rows: Vec<PredictionRow>,
}

/// What was taken in
#[derive(Serialize, utoipa::ToSchema)]
struct Imported {
    /// Pairs of a photo and an attribute with a suggestion now.
    suggestions: u64,
}

/// The source of suggestions in use, and how far they pull
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/suggestions", tag = "suggestions",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Suggestions), Refused)
)]
async fn read(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Suggestions>> {
    let source = suggestions::source(&actor, &db, &project).await?;
    let pulls = suggestions::report(&actor, &db, &project).await?;
    Ok(Json(Suggestions { source, pulls }))
}

/// Suggest from a run or from standards
#[utoipa::path(
    put, path = "/api/v1/projects/{project}/suggestions", tag = "suggestions",
    params(("project" = String, Path, description = "Its key")),
    request_body = SourceInput,
    responses((status = 204, description = "It is in use"), Refused)
)]
async fn switch_on(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<SourceInput>,
) -> AppResult<StatusCode> {
    suggestions::switch_on(&actor, &db, &project, &input).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Suggest nothing
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/suggestions", tag = "suggestions",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 204, description = "Nothing is suggested"), Refused)
)]
async fn switch_off(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<StatusCode> {
    suggestions::switch_off(&actor, &db, &project).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Suggest what predictions from elsewhere say
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/suggestions/predictions", tag = "suggestions",
    params(("project" = String, Path, description = "Its key")),
    request_body = Predictions,
    responses((status = 200, body = Imported), Refused)
)]
async fn import(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<Predictions>,
) -> AppResult<Json<Imported>> {
    let Predictions { name, control_share, rows } = input;
    let suggestions = suggestions::import(&actor, &db, &project, &name, control_share, &rows).await?;
    Ok(Json(Imported { suggestions }))
}
