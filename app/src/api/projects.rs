//! Projects, their settings and progress.

#![allow(clippy::too_many_arguments, reason = "a form's fields are the arguments of its function")]

use kenami_domain::view::{
    project::{Progress, Project, ProjectRow, ProjectSettings},
    queue::{QueueOrder, Reordered},
};
use leptos::prelude::*;

use super::ApiError;

/// The projects that the user may see.
#[server(prefix = "/fn")]
pub async fn projects() -> Result<Vec<ProjectRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::projects::list(&actor, &db).await?)
}

/// A project with its schema and the user's role in it.
#[server(prefix = "/fn")]
pub async fn read_project(key: String) -> Result<Project, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::projects::get(&actor, &db, &key).await?)
}

/// Makes a project and returns its key.
#[server(prefix = "/fn")]
pub async fn create_project(key: String, name: String) -> Result<String, ApiError> {
    let (actor, db) = super::server()?;
    kenami_store::projects::create(&actor, &db, &key, &name).await?;
    Ok(key)
}

/// A project's settings, for leads.
#[server(prefix = "/fn")]
pub async fn read_project_settings(key: String) -> Result<ProjectSettings, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::projects::settings(&actor, &db, &key).await?)
}

/// Changes a project's settings; the share is given in percent.
#[server(prefix = "/fn")]
pub async fn update_project(
    key: String,
    name: String,
    description: String,
    overlap: i16,
    overlap_percent: f64,
    extra_votes: i16,
    queue_order: QueueOrder,
    lease_seconds: i32,
) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    let overlap_share = overlap_percent / 100.0;
    // Another page's.
    let gold = kenami_store::projects::settings(&actor, &db, &key).await?.gold;
    let settings =
        ProjectSettings { name, description, overlap, overlap_share, extra_votes, queue_order, lease_seconds, gold };
    Ok(kenami_store::projects::update(&actor, &db, &key, settings).await?)
}

/// Puts the open photos in the project's order anew.
#[server(prefix = "/fn")]
pub async fn reprioritise(key: String) -> Result<Reordered, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::queue::reprioritise(&actor, &db, &key).await?)
}

/// How far a project is.
#[server(prefix = "/fn")]
pub async fn read_progress(key: String) -> Result<Progress, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::projects::progress(&actor, &db, &key).await?)
}
