//! What the page suggests, and to whom.

use kenami_domain::view::suggestions::{Pull, SourceKind, SuggestionSource};
use leptos::prelude::*;

use super::ApiError;

/// The source in use, and how far it pulls answers.
#[server(prefix = "/fn")]
pub async fn read_suggestions(key: String) -> Result<(Option<SuggestionSource>, Vec<Pull>), ApiError> {
    let (actor, db) = super::server()?;
    let source = kenami_store::suggestions::source(&actor, &db, &key).await?;
    Ok((source, kenami_store::suggestions::report(&actor, &db, &key).await?))
}

/// Takes another source from now on; `run` is a run's name, empty for the latest, and `control` a percentage.
#[server(prefix = "/fn")]
pub async fn switch_suggestions_on(key: String, kind: SourceKind, run: String, control: f32) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    let run = Some(run).filter(|run| !run.trim().is_empty());
    let input = kenami_domain::view::suggestions::SourceInput { kind, run, control_share: control / 100.0 };
    Ok(kenami_store::suggestions::switch_on(&actor, &db, &key, &input).await?)
}

/// Suggests nothing from now on.
#[server(prefix = "/fn")]
pub async fn switch_suggestions_off(key: String) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::suggestions::switch_off(&actor, &db, &key).await?)
}

/// Says whether a member sees suggestions.
#[server(prefix = "/fn")]
pub async fn show_suggestions_to(key: String, user_id: i64, sees: bool) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::suggestions::set_viewer(&actor, &db, &key, user_id, sees).await?)
}
