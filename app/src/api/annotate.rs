//! Annotating: claiming photos, answering them, taking answers back.

use kenami_domain::view::annotate::{Claimed, ClaimedPhoto, MyProgress, Submission};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Gives the user up to `want` photos to hold in all; `have` are the claims that the page shows already, in its order.
#[server(prefix = "/fn", input = Json)]
pub async fn claim_photos(key: String, want: usize, have: Vec<i64>) -> Result<Claimed, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::annotate::claim(&actor, &db, &key, want, &have).await?)
}

/// Stores the answers of one photo. Sent again with the same idempotency key it changes nothing.
#[server(prefix = "/fn", input = Json)]
pub async fn submit_answers(key: String, submission: Submission) -> Result<MyProgress, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::annotate::submit(&actor, &db, &key, submission).await?)
}

/// Takes a finished photo back, to answer it again; its labels stand until then.
#[server(prefix = "/fn")]
pub async fn undo_photo(key: String, claim_id: i64) -> Result<ClaimedPhoto, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::annotate::undo(&actor, &db, &key, claim_id).await?)
}

/// Gives photos back unanswered. URL-encoded, so that a page that is being closed can send it as a beacon.
#[server(prefix = "/fn")]
pub async fn release_photos(key: String, #[server(default)] claim_ids: Vec<i64>) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::annotate::release(&actor, &db, &key, &claim_ids).await?)
}

/// The photos that the user finished last, newest first.
#[server(prefix = "/fn")]
pub async fn finished_photos(key: String, limit: usize) -> Result<Vec<ClaimedPhoto>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::annotate::history(&actor, &db, &key, limit).await?)
}
