//! Guidelines: reading, drafts, publishing and what it puts in doubt.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::view::guidelines::{
    AmendExample, Doubt, DoubtScope, Draft, DraftEdit, Guideline, GuidelineText, GuidelineVersion, ScopeCount,
    VersionEffect,
};
use kenami_store::{db::Db, guidelines};
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
        .routes(routes!(read))
        .routes(routes!(effects, publish))
        .routes(routes!(version))
        .routes(routes!(save_draft))
        .routes(routes!(amend))
        .routes(routes!(preview))
}

/// The guidelines of all annotated attributes
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/guidelines", tag = "guidelines",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<Guideline>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<Guideline>>> {
    Ok(Json(guidelines::all(&actor, &db, &project).await?.into()))
}

/// The guideline of one attribute, with its history
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/guidelines/{attribute}", tag = "guidelines",
    params(("project" = String, Path, description = "Its key"), ("attribute" = String, Path, description = "Its key")),
    responses((status = 200, body = Guideline), Refused)
)]
async fn read(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute)): At<(String, String)>,
) -> AppResult<Json<Guideline>> {
    Ok(Json(guidelines::get(&actor, &db, &project, &attribute).await?))
}

/// The text of one published version
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/guidelines/{attribute}/versions/{version}", tag = "guidelines",
    params(
        ("project" = String, Path, description = "Its key"),
        ("attribute" = String, Path, description = "Its key"),
        ("version" = i32, Path, description = "1, 2, ...")
    ),
    responses((status = 200, body = GuidelineText), Refused)
)]
async fn version(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute, version)): At<(String, String, i32)>,
) -> AppResult<Json<GuidelineText>> {
    Ok(Json(guidelines::version(&actor, &db, &project, &attribute, version).await?))
}

/// Save the draft of the next version
#[utoipa::path(
    put, path = "/api/v1/projects/{project}/guidelines/{attribute}/draft", tag = "guidelines",
    params(("project" = String, Path, description = "Its key"), ("attribute" = String, Path, description = "Its key")),
    request_body = DraftEdit,
    responses((status = 200, body = Draft), Refused)
)]
async fn save_draft(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute)): At<(String, String)>,
    Body(edit): Body<DraftEdit>,
) -> AppResult<Json<Draft>> {
    Ok(Json(guidelines::save_draft(&actor, &db, &project, &attribute, edit).await?))
}

/// Photos that become examples
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Amendment {
    /// 1 to 100 of them.
    examples: Vec<AmendExample>,
}

/// Add photos to the draft as examples, each under the value that was decided, else under the one named; the draft begins
/// as a copy of the version in force where there is none
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/guidelines/{attribute}/draft/examples", tag = "guidelines",
    params(("project" = String, Path, description = "Its key"), ("attribute" = String, Path, description = "Its key")),
    request_body = Amendment,
    responses((status = 200, body = Draft), Refused)
)]
async fn amend(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute)): At<(String, String)>,
    Body(amendment): Body<Amendment>,
) -> AppResult<Json<Draft>> {
    Ok(Json(guidelines::amend(&actor, &db, &project, &attribute, &amendment.examples).await?))
}

/// How many votes a publication would put in doubt now
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/guidelines/{attribute}/doubt", tag = "guidelines",
    params(("project" = String, Path, description = "Its key"), ("attribute" = String, Path, description = "Its key")),
    request_body = DoubtScope,
    responses((status = 200, body = ScopeCount), Refused)
)]
async fn preview(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute)): At<(String, String)>,
    Body(scope): Body<DoubtScope>,
) -> AppResult<Json<ScopeCount>> {
    Ok(Json(guidelines::scope_count(&actor, &db, &project, &attribute, &scope).await?))
}

/// What is published
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Publication {
    /// What changes and why; the draft's where it is empty.
    #[serde(default)]
    change_note: String,
    /// Which votes are in doubt, in one word.
    #[serde(default)]
    doubt: Doubt,
    /// The same at length; it goes before `doubt`.
    #[serde(default)]
    scope: Option<DoubtScope>,
}

/// Publish the draft as the next version, and put votes in doubt
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/guidelines/{attribute}/versions", tag = "guidelines",
    params(("project" = String, Path, description = "Its key"), ("attribute" = String, Path, description = "Its key")),
    request_body = Publication,
    responses((status = 201, body = GuidelineVersion), Refused)
)]
async fn publish(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute)): At<(String, String)>,
    Body(publication): Body<Publication>,
) -> AppResult<(StatusCode, Json<GuidelineVersion>)> {
    let Publication { change_note, doubt, scope } = publication;
    let scope = scope.or(doubt.scope());
    let version = guidelines::publish(&actor, &db, &project, &attribute, &change_note, scope.as_ref()).await?;
    Ok((StatusCode::CREATED, Json(version)))
}

/// Published versions, newest first, with what each put in doubt and how far annotators agreed before and after
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/guidelines/{attribute}/versions", tag = "guidelines",
    params(("project" = String, Path, description = "Its key"), ("attribute" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<VersionEffect>), Refused)
)]
async fn effects(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, attribute)): At<(String, String)>,
) -> AppResult<Json<Listing<VersionEffect>>> {
    Ok(Json(guidelines::effects(&actor, &db, &project, &attribute).await?.into()))
}
