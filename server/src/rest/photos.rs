//! Photos and their pictures.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use kenami_domain::view::photo::PhotoCard;
use kenami_store::{
    db::Db,
    photos::{self, PhotoQuery},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Listing, Paging, Params},
};
use crate::{
    storage::{Storage, Variant},
    web::{AppState, error::AppResult},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(original))
}

/// Which photos
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Part of the name.
    name: Option<String>,
    /// A given attribute's key, together with `value`.
    attribute: Option<String>,
    /// A value's key, together with `attribute`.
    value: Option<String>,
}

/// Photos of a project, in the order in which they came
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/photos", tag = "photos",
    params(("project" = String, Path, description = "Its key"), Filter, Paging),
    responses((status = 200, body = Listing<PhotoCard>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Params(filter): Params<Filter>,
    Params(paging): Params<Paging>,
) -> AppResult<Json<Listing<PhotoCard>>> {
    let query = PhotoQuery {
        cursor: paging.number()?,
        limit: paging.limit(),
        given: filter.attribute.zip(filter.value),
        name_contains: filter.name,
    };
    Ok(Json(photos::list(&actor, &db, &project, query).await?.into()))
}

/// A photo
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/photos/{photo}", tag = "photos",
    params(("project" = String, Path, description = "Its key"), ("photo" = i64, Path, description = "Its id")),
    responses((status = 200, body = PhotoCard), Refused)
)]
async fn read(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, photo)): At<(String, i64)>,
) -> AppResult<Json<PhotoCard>> {
    Ok(Json(photos::get(&actor, &db, &project, photo).await?))
}

/// A photo's original bytes
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/photos/{photo}/original", tag = "photos",
    params(("project" = String, Path, description = "Its key"), ("photo" = i64, Path, description = "Its id")),
    responses((status = 200, description = "JPEG, PNG or WebP", content_type = "image/*"), Refused)
)]
async fn original(
    State(db): State<Db>,
    State(storage): State<Storage>,
    Token(actor): Token,
    At((project, photo)): At<(String, i64)>,
) -> AppResult<Response> {
    let file = photos::file_of(&actor, &db, &project, photo).await?;
    let (length, bytes) = storage.stream(&file.hash, Variant::Original).await?;
    let headers = [(header::CONTENT_TYPE, file.media_type), (header::CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(bytes)).into_response())
}
