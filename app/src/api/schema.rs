//! Attributes and values: what there is, and its changes.

use kenami_domain::view::schema_change::{SchemaAttribute, SchemaChange, SchemaChangeRecord, SchemaCounts};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// All attributes with their labels, retired ones included.
#[server(prefix = "/fn")]
pub async fn schema_attributes(key: String) -> Result<Vec<SchemaAttribute>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::schema_changes::attributes(&actor, &db, &key).await?)
}

/// The changes that were made, newest first.
#[server(prefix = "/fn")]
pub async fn schema_changes(key: String) -> Result<Vec<SchemaChangeRecord>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::schema_changes::list(&actor, &db, &key).await?)
}

/// What a change would concern.
#[server(prefix = "/fn", input = Json)]
pub async fn preview_schema_change(key: String, change: SchemaChange) -> Result<SchemaCounts, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::schema_changes::preview(&actor, &db, &key, &change).await?)
}

/// Makes a change.
#[server(prefix = "/fn", input = Json)]
pub async fn change_schema(key: String, change: SchemaChange) -> Result<SchemaChangeRecord, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::schema_changes::apply(&actor, &db, &key, &change).await?)
}

/// Undoes a change.
#[server(prefix = "/fn")]
pub async fn undo_schema_change(key: String, change_id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::schema_changes::undo(&actor, &db, &key, change_id).await?)
}
