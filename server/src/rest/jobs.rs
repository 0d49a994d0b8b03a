//! Jobs: how far imports and trainings are.

use axum::{Json, extract::State};
use kenami_domain::view::job::Job;
use kenami_store::{db::Db, jobs};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Refused, bearer::Token, listing::At};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read))
}

/// A job
#[utoipa::path(
    get, path = "/api/v1/jobs/{job}", tag = "jobs", params(("job" = i64, Path, description = "Its id")),
    responses((status = 200, body = Job), Refused)
)]
async fn read(State(db): State<Db>, Token(actor): Token, At(job): At<i64>) -> AppResult<Json<Job>> {
    Ok(Json(jobs::get(&actor, &db, job).await?))
}
