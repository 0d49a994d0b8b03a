//! Active learning from round to round.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::{
    run_config::RunConfig,
    view::{
        rounds::{RoundInput, Rounds},
        run::RunDetail,
    },
};
use kenami_store::{
    db::Db,
    error::Error,
    rights::{self, Operation},
    rounds,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body},
};
use crate::{
    jobs::check_page_config,
    web::{AppState, error::AppResult},
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, begin))
}

/// Runs with the labels that had been given when their datasets were frozen, oldest first, and what has come since
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/rounds", tag = "runs",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Rounds), Refused)
)]
async fn list(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Rounds>> {
    Ok(Json(rounds::list(&actor, &db, &project).await?))
}

/// Begin a round of active learning: freeze the labels so far and train on them; the queue follows what the model doubts
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/rounds", tag = "runs",
    params(("project" = String, Path, description = "Its key")), request_body = RoundInput,
    responses((status = 202, body = RunDetail, description = "Queued; `job` says how far it is"), Refused)
)]
async fn begin(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<RoundInput>,
) -> AppResult<(StatusCode, Json<RunDetail>)> {
    rights::require(&actor, &db, Operation::Train, project.as_str()).await?;
    let invalid = |message: String| Error::invalid("config", message);
    let config = RunConfig::from_toml(&input.config).map_err(|error| invalid(error.to_string()))?;
    check_page_config(&config).map_err(|error| invalid(error.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(rounds::begin(&actor, &db, &project, input).await?)))
}
