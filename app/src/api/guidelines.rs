//! Guidelines: reading, drafting, publishing.

use kenami_domain::view::guidelines::{
    AmendExample, DoubtScope, Draft, DraftEdit, Guideline, GuidelineText, GuidelineVersion, ScopeCount, VersionEffect,
};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// The guidelines of every annotated attribute, in order; drafts only for leads.
#[server(prefix = "/fn")]
pub async fn guidelines(key: String) -> Result<Vec<Guideline>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::all(&actor, &db, &key).await?)
}

/// The guideline of one attribute.
#[server(prefix = "/fn")]
pub async fn read_guideline(key: String, attribute: String) -> Result<Guideline, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::get(&actor, &db, &key, &attribute).await?)
}

/// The text of one published version.
#[server(prefix = "/fn")]
pub async fn read_guideline_version(key: String, attribute: String, version: i32) -> Result<GuidelineText, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::version(&actor, &db, &key, &attribute, version).await?)
}

/// Saves the draft of the next version.
#[server(prefix = "/fn", input = Json)]
pub async fn save_draft(key: String, attribute: String, edit: DraftEdit) -> Result<Draft, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::save_draft(&actor, &db, &key, &attribute, edit).await?)
}

/// Throws the draft away.
#[server(prefix = "/fn")]
pub async fn discard_draft(key: String, attribute: String) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::discard_draft(&actor, &db, &key, &attribute).await?)
}

/// Adds photos to the draft as examples of the values that they show.
#[server(prefix = "/fn", input = Json)]
pub async fn amend(key: String, attribute: String, examples: Vec<AmendExample>) -> Result<Draft, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::amend(&actor, &db, &key, &attribute, &examples).await?)
}

/// Votes that a publication would put in doubt.
#[server(prefix = "/fn", input = Json)]
pub async fn count_scope(key: String, attribute: String, scope: DoubtScope) -> Result<ScopeCount, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::scope_count(&actor, &db, &key, &attribute, &scope).await?)
}

/// Publishes the draft as the next version.
#[server(prefix = "/fn", input = Json)]
pub async fn publish(
    key: String,
    attribute: String,
    change_note: String,
    doubt: Option<DoubtScope>,
) -> Result<GuidelineVersion, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::publish(&actor, &db, &key, &attribute, &change_note, doubt.as_ref()).await?)
}

/// How far annotators agreed before and after each published version.
#[server(prefix = "/fn")]
pub async fn version_effects(key: String, attribute: String) -> Result<Vec<VersionEffect>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::guidelines::effects(&actor, &db, &key, &attribute).await?)
}
