//! Experiments: whether labels pay.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::{
    run_config::RunConfig,
    view::experiment::{ExperimentDetail, ExperimentInput, ExperimentRow},
};
use kenami_store::{
    db::Db,
    error::Error,
    experiments,
    rights::{self, Operation},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing},
};
use crate::{
    jobs::check_page_config,
    web::{AppState, error::AppResult},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(read)).routes(routes!(cancel))
}

/// Experiments of a project, newest first
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/experiments", tag = "experiments",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<ExperimentRow>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<ExperimentRow>>> {
    Ok(Json(experiments::list(&actor, &db, &project).await?.into()))
}

/// Compare training without labels, with class-level and with instance-level ones, over several seeds
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/experiments", tag = "experiments",
    params(("project" = String, Path, description = "Its key")), request_body = ExperimentInput,
    responses((status = 202, body = ExperimentDetail, description = "Queued; `job` says how far it is"), Refused)
)]
async fn start(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<ExperimentInput>,
) -> AppResult<(StatusCode, Json<ExperimentDetail>)> {
    rights::require(&actor, &db, Operation::Train, project.as_str()).await?;
    let invalid = |message: String| Error::invalid("config", message);
    let config = RunConfig::from_toml(&input.config).map_err(|error| invalid(error.to_string()))?;
    check_page_config(&config).map_err(|error| invalid(error.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(experiments::create(&actor, &db, &project, input).await?)))
}

/// An experiment with its results so far
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/experiments/{experiment}", tag = "experiments",
    params(("project" = String, Path, description = "Its key"), ("experiment" = i64, Path, description = "Its id")),
    responses((status = 200, body = ExperimentDetail), Refused)
)]
async fn read(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, experiment)): At<(String, i64)>,
) -> AppResult<Json<ExperimentDetail>> {
    Ok(Json(experiments::get(&actor, &db, &project, experiment).await?))
}

/// Ask an experiment to stop; what has finished stays
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/experiments/{experiment}/cancel", tag = "experiments",
    params(("project" = String, Path, description = "Its key"), ("experiment" = i64, Path, description = "Its id")),
    responses((status = 202, description = "It stops as soon as it can"), Refused)
)]
async fn cancel(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, experiment)): At<(String, i64)>,
) -> AppResult<StatusCode> {
    experiments::cancel(&actor, &db, &project, experiment).await?;
    Ok(StatusCode::ACCEPTED)
}
