//! Reports on annotators and progress; pauses and doubts.

use kenami_domain::view::report::{AnnotatorReport, AnnotatorRow, DoubtCount, DoubtInput, ProgressReport};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Everybody who labels in the project.
#[server(prefix = "/fn")]
pub async fn annotators(key: String) -> Result<Vec<AnnotatorRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::reports::annotators(&actor, &db, &key).await?)
}

/// How one annotator works.
#[server(prefix = "/fn")]
pub async fn read_annotator(key: String, annotator_id: i64) -> Result<AnnotatorReport, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::reports::annotator(&actor, &db, &key, annotator_id).await?)
}

/// How the user works; none before the first photo.
#[server(prefix = "/fn")]
pub async fn my_report(key: String) -> Result<Option<AnnotatorReport>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::reports::mine(&actor, &db, &key).await?)
}

/// How far the project is, by attribute and breed.
#[server(prefix = "/fn")]
pub async fn read_report(key: String) -> Result<ProgressReport, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::reports::progress(&actor, &db, &key).await?)
}

/// Pauses an annotator, or ends the pause.
#[server(prefix = "/fn")]
pub async fn pause_annotator(key: String, annotator_id: i64, paused: bool) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    match paused {
        true => kenami_store::oversight::pause(&actor, &db, &key, annotator_id).await?,
        false => kenami_store::oversight::resume(&actor, &db, &key, annotator_id).await?,
    }
    Ok(())
}

/// How many labels a doubt would concern.
#[server(prefix = "/fn", input = Json)]
pub async fn count_doubt(key: String, annotator_id: i64, input: DoubtInput) -> Result<DoubtCount, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::oversight::doubt_count(&actor, &db, &key, annotator_id, &input).await?)
}

/// Puts labels in doubt.
#[server(prefix = "/fn", input = Json)]
pub async fn doubt_labels(key: String, annotator_id: i64, input: DoubtInput) -> Result<DoubtCount, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::oversight::doubt(&actor, &db, &key, annotator_id, &input).await?)
}

/// Takes a doubt back.
#[server(prefix = "/fn")]
pub async fn undo_doubt(key: String, annotator_id: i64, doubt_id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::oversight::undo_doubt(&actor, &db, &key, annotator_id, doubt_id).await?)
}
