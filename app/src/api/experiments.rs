//! Whether labels pay.

use kenami_domain::view::experiment::{ExperimentDetail, ExperimentInput, ExperimentRow};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// All experiments of a project, newest first.
#[server(prefix = "/fn")]
pub async fn experiments(key: String) -> Result<Vec<ExperimentRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::experiments::list(&actor, &db, &key).await?)
}

/// An experiment with its results so far.
#[server(prefix = "/fn")]
pub async fn experiment(key: String, id: i64) -> Result<ExperimentDetail, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::experiments::get(&actor, &db, &key, id).await?)
}

/// Starts an experiment and returns it.
#[server(prefix = "/fn", input = Json)]
pub async fn start_experiment(key: String, input: ExperimentInput) -> Result<ExperimentDetail, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::experiments::create(&actor, &db, &key, input).await?)
}

/// Asks an experiment to stop.
#[server(prefix = "/fn")]
pub async fn cancel_experiment(key: String, id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::experiments::cancel(&actor, &db, &key, id).await?)
}
