//! Long work. Its progress comes by server-sent events; see [`crate::components::job`].

use kenami_domain::view::job::Job;
use leptos::prelude::*;

use super::ApiError;

/// A project's latest jobs.
#[server(prefix = "/fn")]
pub async fn jobs(key: String) -> Result<Vec<Job>, ApiError> {
    const LISTED: usize = 20;
    let (actor, db) = super::server()?;
    Ok(kenami_store::jobs::list(&actor, &db, &key, LISTED as _).await?)
}

/// A job.
#[server(prefix = "/fn")]
pub async fn read_job(id: i64) -> Result<Job, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::jobs::get(&actor, &db, id).await?)
}

/// Asks a job to stop.
#[server(prefix = "/fn")]
pub async fn cancel_job(id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::jobs::cancel(&actor, &db, id).await?)
}
