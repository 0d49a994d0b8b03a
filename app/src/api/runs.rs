//! Training runs.

use kenami_domain::{
    dataset::Split,
    view::{
        Page,
        errors::{RunErrors, Sample},
        run::{Mistake, RunDetail, RunRow},
    },
};
use leptos::prelude::*;

use super::ApiError;

/// Mistakes a page.
pub const MISTAKES: usize = 48;

/// All runs of a project, newest first.
#[server(prefix = "/fn")]
pub async fn runs(key: String) -> Result<Vec<RunRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::runs::list(&actor, &db, &key).await?)
}

/// A run with its configuration, curves and results.
#[server(prefix = "/fn")]
pub async fn run(key: String, run_id: i64) -> Result<RunDetail, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::runs::get(&actor, &db, &key, run_id).await?)
}

/// Starts a run and returns it.
#[server(prefix = "/fn")]
pub async fn start_run(key: String, dataset_id: i64, name: String, config: String) -> Result<RunDetail, ApiError> {
    let (actor, db) = super::server()?;
    let input = kenami_domain::view::run::TrainInput { dataset_id, name: name.trim().to_owned(), config };
    Ok(kenami_store::runs::create(&actor, &db, &key, input).await?)
}

/// Asks a run to stop.
#[server(prefix = "/fn")]
pub async fn cancel_run(key: String, run_id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::runs::cancel(&actor, &db, &key, run_id).await?)
}

/// Photos whose dataset answer is `answer` while the head put `predicted` first.
#[server(prefix = "/fn")]
pub async fn mistakes(
    key: String,
    run_id: i64,
    head: String,
    answer: String,
    predicted: String,
    split: Option<Split>,
    cursor: Option<i64>,
) -> Result<Page<Mistake>, ApiError> {
    use kenami_store::runs::MistakeFilter;

    let (actor, db) = super::server()?;
    let filter = MistakeFilter { head, answer: Some(answer), predicted: Some(predicted), split, cursor };
    Ok(kenami_store::runs::mistakes(&actor, &db, &key, run_id, &filter, MISTAKES).await?)
}

/// What a finished run gets wrong on photos that it has not seen.
#[server(prefix = "/fn")]
pub async fn read_run_errors(key: String, run_id: i64, sample: Sample) -> Result<RunErrors, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::runs::errors(&actor, &db, &key, run_id, sample).await?)
}
