//! Frozen datasets.

use kenami_domain::{
    dataset::Policy,
    view::dataset::{DatasetDetail, DatasetRow},
};
use leptos::prelude::*;

use super::ApiError;

/// All datasets of a project, newest first.
#[server(prefix = "/fn")]
pub async fn datasets(key: String) -> Result<Vec<DatasetRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::datasets::list(&actor, &db, &key).await?)
}

/// A dataset with its counts.
#[server(prefix = "/fn")]
pub async fn dataset(key: String, name: String) -> Result<DatasetDetail, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::datasets::get(&actor, &db, &key, &name).await?)
}

/// Freezes the project as it stands. `run` names the run whose probabilities CROWDLAB uses.
#[server(prefix = "/fn")]
pub async fn freeze(
    key: String,
    name: String,
    policy: Policy,
    run: Option<String>,
    seed: u64,
) -> Result<DatasetRow, ApiError> {
    let (actor, db) = super::server()?;
    let input = kenami_domain::view::dataset::FreezeInput { name: name.trim().to_owned(), policy, run, seed };
    Ok(kenami_store::datasets::freeze(&actor, &db, &key, input).await?)
}
