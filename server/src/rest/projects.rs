//! The account that acts, and the projects that it may see.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::view::{
    people::Me,
    project::{Progress, Project, ProjectRow},
};
use kenami_store::{db::Db, people, projects};
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
        .routes(routes!(me))
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(progress))
}

/// The account whose token this is
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, body = Me), Refused))]
async fn me(State(db): State<Db>, Token(actor): Token) -> AppResult<Json<Me>> {
    Ok(Json(people::me(&actor, &db).await?))
}

/// Projects that one may see
#[utoipa::path(
    get, path = "/api/v1/projects", tag = "projects",
    responses((status = 200, body = Listing<ProjectRow>), Refused)
)]
async fn list(State(db): State<Db>, Token(actor): Token) -> AppResult<Json<Listing<ProjectRow>>> {
    Ok(Json(projects::list(&actor, &db).await?.into()))
}

/// A project to make
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct NewProject {
    /// Stable key, used in addresses: letters, digits, `_` and `-`.
    key: String,
    /// What people read; the key if none.
    #[serde(default)]
    name: String,
}

/// Make a project
#[utoipa::path(
    post, path = "/api/v1/projects", tag = "projects", request_body = NewProject,
    responses((status = 201, body = Project), Refused)
)]
async fn create(
    State(db): State<Db>,
    Token(actor): Token,
    Body(new): Body<NewProject>,
) -> AppResult<(StatusCode, Json<Project>)> {
    let name = if new.name.trim().is_empty() { &new.key } else { &new.name };
    projects::create(&actor, &db, &new.key, name).await?;
    Ok((StatusCode::CREATED, Json(projects::get(&actor, &db, &new.key).await?)))
}

/// A project with its attributes
#[utoipa::path(
    get, path = "/api/v1/projects/{project}", tag = "projects", params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Project), Refused)
)]
async fn read(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Project>> {
    Ok(Json(projects::get(&actor, &db, &project).await?))
}

/// How far a project is
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/progress", tag = "projects",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Progress), Refused)
)]
async fn progress(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Progress>> {
    Ok(Json(projects::progress(&actor, &db, &project).await?))
}
