//! Answering many photos at once.

use kenami_domain::view::{
    annotate::MyProgress,
    grid::{GridScreen, GridSubmission},
};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Gives the user a screen of up to `want` photos for which the same value of the attribute is suggested; the claims in
/// `skip` do not come.
#[server(prefix = "/fn", input = Json)]
pub async fn next_screen(
    key: String,
    attribute: String,
    value: Option<String>,
    want: usize,
    skip: Vec<i64>,
) -> Result<GridScreen, ApiError> {
    let (actor, db) = super::server()?;
    let query = kenami_store::grid::ScreenQuery { attribute, value, want, skip };
    Ok(kenami_store::grid::screen(&actor, &db, &key, &query).await?)
}

/// Stores a screen's answers. Sent again with the same idempotency keys it changes nothing.
#[server(prefix = "/fn", input = Json)]
pub async fn submit_screen(key: String, submission: GridSubmission) -> Result<MyProgress, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::grid::submit(&actor, &db, &key, &submission).await?)
}
