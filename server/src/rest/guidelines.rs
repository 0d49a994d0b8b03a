//! Guidelines as they are published.

use axum::{Json, extract::State};
use kenami_domain::view::guidelines::{Guideline, GuidelineText};
use kenami_store::{db::Db, guidelines};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Listing},
};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(version))
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
