//! Server functions: one file a part of the product, each function one call of the store.

#![allow(missing_docs, reason = "the server macro makes public structs of the arguments, whose fields take no docs")]

pub mod annotate;
pub mod datasets;
mod error;
pub mod experiments;
pub mod gold;
pub mod grid;
pub mod guidelines;
pub mod jobs;
pub mod members;
pub mod people;
pub mod photos;
pub mod projects;
pub mod quiz;
pub mod reports;
pub mod review;
pub mod rounds;
pub mod runs;
pub mod schema;
pub mod suggestions;

pub use error::{ApiError, set_status};

/// Who acts in this request, and the database.
///
/// # Errors
/// [`ApiError::Internal`] if the server did not provide them: a mistake in its wiring.
#[cfg(feature = "ssr")]
pub fn server() -> Result<(kenami_store::actor::Actor, kenami_store::db::Db), ApiError> {
    use leptos::prelude::use_context;

    match (use_context(), use_context()) {
        (Some(actor), Some(db)) => Ok((actor, db)),
        _ => {
            tracing::error!("a page was rendered without an actor or a database in its context");
            Err(ApiError::Internal)
        }
    }
}
