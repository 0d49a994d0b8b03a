//! Active learning from round to round.

use kenami_domain::view::{
    rounds::{RoundInput, Rounds},
    run::RunDetail,
};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Where the loop stands.
#[server(prefix = "/fn")]
pub async fn read_rounds(key: String) -> Result<Rounds, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::rounds::list(&actor, &db, &key).await?)
}

/// Freezes the labels so far and trains on them; the queue follows what the model doubts.
#[server(prefix = "/fn", input = Json)]
pub async fn begin_round(key: String, input: RoundInput) -> Result<RunDetail, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::rounds::begin(&actor, &db, &key, input).await?)
}
