//! Training runs.

use axum::{
    Json,
    body::Body as HttpBody,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kenami_domain::{
    run_config::RunConfig,
    view::{
        errors::{RunErrors, Sample},
        run::{RunDetail, RunRow, TrainInput},
    },
};
use kenami_store::{
    db::Db,
    error::Error,
    rights::{self, Operation},
    runs,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing, Params},
};
use crate::{
    jobs::check_page_config,
    storage::Storage,
    web::{AppState, error::AppResult},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(read))
        .routes(routes!(cancel))
        .routes(routes!(file))
        .routes(routes!(errors))
}

/// Runs of a project, newest first
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/runs", tag = "runs",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<RunRow>), Refused)
)]
async fn list(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Listing<RunRow>>> {
    Ok(Json(runs::list(&actor, &db, &project).await?.into()))
}

/// Start a training run
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/runs", tag = "runs",
    params(("project" = String, Path, description = "Its key")), request_body = TrainInput,
    responses((status = 202, body = RunDetail, description = "Queued; `job` says how far it is"), Refused)
)]
async fn start(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<TrainInput>,
) -> AppResult<(StatusCode, Json<RunDetail>)> {
    rights::require(&actor, &db, Operation::Train, project.as_str()).await?;
    let invalid = |message: String| Error::invalid("config", message);
    let config = RunConfig::from_toml(&input.config).map_err(|error| invalid(error.to_string()))?;
    check_page_config(&config).map_err(|error| invalid(error.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(runs::create(&actor, &db, &project, input).await?)))
}

/// A run with its curves and results
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/runs/{run}", tag = "runs",
    params(("project" = String, Path, description = "Its key"), ("run" = i64, Path, description = "Its id")),
    responses((status = 200, body = RunDetail), Refused)
)]
async fn read(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, run)): At<(String, i64)>,
) -> AppResult<Json<RunDetail>> {
    Ok(Json(runs::get(&actor, &db, &project, run).await?))
}

/// Ask a run to stop
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/runs/{run}/cancel", tag = "runs",
    params(("project" = String, Path, description = "Its key"), ("run" = i64, Path, description = "Its id")),
    responses((status = 202, description = "It stops as soon as it can"), Refused)
)]
async fn cancel(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, run)): At<(String, i64)>,
) -> AppResult<StatusCode> {
    runs::cancel(&actor, &db, &project, run).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A file of a finished run by its path: metrics.json, model.safetensors, and what metrics.json lists as files
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/runs/{run}/files/{file}", tag = "runs",
    params(
        ("project" = String, Path, description = "Its key"),
        ("run" = i64, Path, description = "Its id"),
        ("file" = String, Path, description = "Its path in the run's folder, with %2F for /")
    ),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"), Refused)
)]
async fn file(
    State(db): State<Db>,
    State(storage): State<Storage>,
    Token(actor): Token,
    At((project, run, file)): At<(String, i64, String)>,
) -> AppResult<Response> {
    let (length, bytes) = storage.get_artifact(&runs::file(&actor, &db, &project, run, &file).await?).await?;
    let file = file.replace(|c: char| !c.is_ascii_alphanumeric() && !".-_".contains(c), "_");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
    ];
    Ok((headers, HttpBody::from_stream(bytes)).into_response())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Of {
    /// Which photos; all that the model, or the fold's, has not seen where nothing is said
    #[serde(default)]
    sample: Sample,
}

/// What a finished run gets wrong on photos that it has not seen, and whether one mistake explains another
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/runs/{run}/errors", tag = "runs",
    params(("project" = String, Path, description = "Its key"), ("run" = i64, Path, description = "Its id"), Of),
    responses((status = 200, body = RunErrors), Refused)
)]
async fn errors(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, run)): At<(String, i64)>,
    Params(Of { sample }): Params<Of>,
) -> AppResult<Json<RunErrors>> {
    Ok(Json(runs::errors(&actor, &db, &project, run, sample).await?))
}
