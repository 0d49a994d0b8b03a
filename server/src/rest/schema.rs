//! Changes of attributes and values.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::view::schema_change::{SchemaAttribute, SchemaChange, SchemaChangeRecord, SchemaCounts};
use kenami_store::{db::Db, schema_changes};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing},
};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(attributes))
        .routes(routes!(list, make))
        .routes(routes!(preview))
        .routes(routes!(undo))
}

/// All attributes with their labels, retired ones included
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/attributes", tag = "schema",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<SchemaAttribute>), Refused)
)]
async fn attributes(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<SchemaAttribute>>> {
    Ok(Json(schema_changes::attributes(&actor, &db, &project).await?.into()))
}

/// Changes that were made, newest first; at most 100
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/schema-changes", tag = "schema",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<SchemaChangeRecord>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<SchemaChangeRecord>>> {
    Ok(Json(schema_changes::list(&actor, &db, &project).await?.into()))
}

/// Change attributes or values; labels are kept and mapped
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/schema-changes", tag = "schema",
    params(("project" = String, Path, description = "Its key")), request_body = SchemaChange,
    responses((status = 201, body = SchemaChangeRecord), Refused)
)]
async fn make(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(change): Body<SchemaChange>,
) -> AppResult<(StatusCode, Json<SchemaChangeRecord>)> {
    Ok((StatusCode::CREATED, Json(schema_changes::apply(&actor, &db, &project, &change).await?)))
}

/// What a change would concern; nothing is changed
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/schema-changes/preview", tag = "schema",
    params(("project" = String, Path, description = "Its key")), request_body = SchemaChange,
    responses((status = 200, body = SchemaCounts), Refused)
)]
async fn preview(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(change): Body<SchemaChange>,
) -> AppResult<Json<SchemaCounts>> {
    Ok(Json(schema_changes::preview(&actor, &db, &project, &change).await?))
}

/// Undo the newest change, as long as nobody has labelled on top of it
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/schema-changes/{change}/undo", tag = "schema",
    params(("project" = String, Path, description = "Its key"), ("change" = i64, Path, description = "Its id")),
    responses((status = 204, description = "It is undone"), Refused)
)]
async fn undo(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, change)): At<(String, i64)>,
) -> AppResult<StatusCode> {
    schema_changes::undo(&actor, &db, &project, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
