//! Frozen datasets.

use axum::{
    Json,
    body::Body as HttpBody,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kenami_domain::{
    dataset::Item,
    view::dataset::{DatasetDetail, DatasetRow, ExportFormat, FreezeInput},
};
use kenami_store::{datasets, db::Db};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing, Paging, Params},
};
use crate::{
    export,
    storage::Storage,
    web::{AppState, download::refused, error::AppResult},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, freeze))
        .routes(routes!(read))
        .routes(routes!(items))
        .routes(routes!(download))
}

/// Datasets of a project, newest first
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/datasets", tag = "datasets",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<DatasetRow>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<DatasetRow>>> {
    Ok(Json(datasets::list(&actor, &db, &project).await?.into()))
}

/// Freeze the labels that stand as a dataset
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/datasets", tag = "datasets",
    params(("project" = String, Path, description = "Its key")), request_body = FreezeInput,
    responses((status = 201, body = DatasetDetail), Refused)
)]
async fn freeze(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<FreezeInput>,
) -> AppResult<(StatusCode, Json<DatasetDetail>)> {
    let row = datasets::freeze(&actor, &db, &project, input).await?;
    Ok((StatusCode::CREATED, Json(datasets::get(&actor, &db, &project, &row.name).await?)))
}

/// A dataset with its manifest and counts
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/datasets/{dataset}", tag = "datasets",
    params(("project" = String, Path, description = "Its key"), ("dataset" = String, Path, description = "Its name")),
    responses((status = 200, body = DatasetDetail), Refused)
)]
async fn read(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, dataset)): At<(String, String)>,
) -> AppResult<Json<DatasetDetail>> {
    Ok(Json(datasets::get(&actor, &db, &project, &dataset).await?))
}

/// The lines of items.jsonl
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/datasets/{dataset}/items", tag = "datasets",
    params(
        ("project" = String, Path, description = "Its key"),
        ("dataset" = String, Path, description = "Its name"),
        Paging
    ),
    responses((status = 200, body = Listing<Item>), Refused)
)]
async fn items(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, dataset)): At<(String, String)>,
    Params(paging): Params<Paging>,
) -> AppResult<Json<Listing<Item>>> {
    let limit = paging.limit();
    let wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut page = datasets::items_page(&actor, &db, &project, &dataset, paging.number()?, wanted).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next_cursor = page.last().filter(|_| more).map(|last| last.position.to_string());
    Ok(Json(Listing { items: page.into_iter().map(|row| row.item).collect(), next_cursor }))
}

/// How to write a dataset
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct How {
    /// csv and jsonl come as they are, folder and imagefolder as one zip.
    format: ExportFormat,
    /// imagefolder: the attribute whose values are the folders; the given attribute with most values if not given.
    by: Option<String>,
}

/// Download a dataset
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/datasets/{dataset}/download", tag = "datasets",
    params(
        ("project" = String, Path, description = "Its key"),
        ("dataset" = String, Path, description = "Its name"),
        How
    ),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"), Refused)
)]
async fn download(
    State(db): State<Db>,
    State(storage): State<Storage>,
    Token(actor): Token,
    At((project, dataset)): At<(String, String)>,
    Params(how): Params<How>,
) -> AppResult<Response> {
    let request = export::Request { actor, db, storage, project, dataset, format: how.format, by: how.by };
    let download = export::download(request).await.map_err(refused)?;
    let disposition = format!("attachment; filename=\"{}\"", download.file_name);
    let headers =
        [(header::CONTENT_TYPE, download.content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, HttpBody::from_stream(download.body)).into_response())
}
