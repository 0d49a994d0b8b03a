//! The account that acts, and the projects that it may see.

use axum::{Json, extract::State, http::StatusCode};
use kenami_domain::view::{
    people::Me,
    project::{GoldSettings, Progress, Project, ProjectRow, ProjectSettings},
    queue::{QueueOrder, Reordered},
};
use kenami_store::{db::Db, people, projects, queue};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing},
};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(progress))
        .routes(routes!(settings, change_settings))
        .routes(routes!(reprioritise))
}

/// The account whose token this is
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, body = Me), Refused))]
async fn me(State(db): State<Db>, Token(actor): Token) -> AppResult<Json<Me>> {
    Ok(Json(people::me(&actor, &db).await?))
}

/// Projects that one may see
#[utoipa::path(
    get, path = "/api/v1/projects", tag = "projects",
    responses((status = 200, body = Listing<ProjectRow>), Refused)
)]
async fn list(State(db): State<Db>, Token(actor): Token) -> AppResult<Json<Listing<ProjectRow>>> {
    Ok(Json(projects::list(&actor, &db).await?.into()))
}

/// A project to make
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct NewProject {
    /// Stable key, used in addresses: letters, digits, `_` and `-`.
    key: String,
    /// What people read; the key if none.
    #[serde(default)]
    name: String,
}

/// Make a project
#[utoipa::path(
    post, path = "/api/v1/projects", tag = "projects", request_body = NewProject,
    responses((status = 201, body = Project), Refused)
)]
async fn create(
    State(db): State<Db>,
    Token(actor): Token,
    Body(new): Body<NewProject>,
) -> AppResult<(StatusCode, Json<Project>)> {
    let name = if new.name.trim().is_empty() { &new.key } else { &new.name };
    projects::create(&actor, &db, &new.key, name).await?;
    Ok((StatusCode::CREATED, Json(projects::get(&actor, &db, &new.key).await?)))
}

/// A project with its attributes
#[utoipa::path(
    get, path = "/api/v1/projects/{project}", tag = "projects", params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Project), Refused)
)]
async fn read(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Project>> {
    Ok(Json(projects::get(&actor, &db, &project).await?))
}

/// How far a project is
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/progress", tag = "projects",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Progress), Refused)
)]
async fn progress(State(db): State<Db>, Token(actor): Token, At(project): At<String>) -> AppResult<Json<Progress>> {
    Ok(Json(projects::progress(&actor, &db, &project).await?))
}

/// What a lead may change
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/settings", tag = "projects",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = ProjectSettings), Refused)
)]
async fn settings(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<ProjectSettings>> {
    Ok(Json(projects::settings(&actor, &db, &project).await?))
}

/// Settings to change; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct SettingsChange {
    /// What people read; 1 to 120 characters.
    name: Option<String>,
    /// At most 2,000 characters.
    description: Option<String>,
    /// Annotators a photo, 1 to 20. Lowering it takes away no answers.
    overlap: Option<i16>,
    /// The share of photos, 0 to 1, that as many annotators answer; the others get one.
    overlap_share: Option<f64>,
    /// How many more annotators a photo gets, one at a time, while its answers differ; 0 to 5.
    extra_votes: Option<i16>,
    /// Which photos come first.
    queue_order: Option<QueueOrder>,
    /// How long a claimed photo is held: 30 to 86,400 seconds.
    lease_seconds: Option<i32>,
    /// The share of an annotator's photos that are gold, 0 to 0.5.
    gold_rate: Option<f64>,
    /// Gold photos before an annotator's first real photo, 0 (no quiz) to 50.
    quiz_length: Option<i16>,
    /// The share of right answers that passes, 0 to 1.
    quiz_pass_mark: Option<f64>,
    /// Whether a failed quiz may be repeated with other gold photos.
    quiz_repeats: Option<bool>,
}

impl SettingsChange {
    fn of(self, now: ProjectSettings) -> ProjectSettings {
        ProjectSettings {
            name: self.name.unwrap_or(now.name),
            description: self.description.unwrap_or(now.description),
            overlap: self.overlap.unwrap_or(now.overlap),
            overlap_share: self.overlap_share.unwrap_or(now.overlap_share),
            extra_votes: self.extra_votes.unwrap_or(now.extra_votes),
            queue_order: self.queue_order.unwrap_or(now.queue_order),
            lease_seconds: self.lease_seconds.unwrap_or(now.lease_seconds),
            gold: GoldSettings {
                gold_rate: self.gold_rate.unwrap_or(now.gold.gold_rate),
                quiz_length: self.quiz_length.unwrap_or(now.gold.quiz_length),
                quiz_pass_mark: self.quiz_pass_mark.unwrap_or(now.gold.quiz_pass_mark),
                quiz_repeats: self.quiz_repeats.unwrap_or(now.gold.quiz_repeats),
            },
        }
    }
}

/// Change settings
///
/// In a large project the photos follow after the answer.
#[utoipa::path(
    patch, path = "/api/v1/projects/{project}/settings", tag = "projects", request_body = SettingsChange,
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = ProjectSettings), Refused)
)]
async fn change_settings(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(change): Body<SettingsChange>,
) -> AppResult<Json<ProjectSettings>> {
    let settings = change.of(projects::settings(&actor, &db, &project).await?);
    projects::update(&actor, &db, &project, settings).await?;
    Ok(Json(projects::settings(&actor, &db, &project).await?))
}

/// Put the queue in the project's order anew
///
/// By what the latest run predicts, or by what has been finished.
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/queue/reprioritise", tag = "projects",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Reordered), Refused)
)]
async fn reprioritise(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Reordered>> {
    Ok(Json(queue::reprioritise(&actor, &db, &project).await?))
}
