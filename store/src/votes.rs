//! The votes: labels that stand, were not given on gold, and are in no lead's doubt.
//!
//! Whoever counts votes in SQL says the same:
//! `l.superseded_at IS NULL AND NOT l.gold AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)`.

use std::collections::HashMap;

use futures::TryStreamExt;
use kenami_domain::votes::VoteTable;
use sqlx::PgConnection;

use crate::{catalog::Catalog, error::Result};

/// Loads the votes on the attributes that are still answered. `item` names a photo by its id; photos that it
/// does not know are left out.
pub(crate) async fn load<'a>(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    mut item: impl FnMut(i64) -> Option<&'a str>,
) -> Result<VoteTable> {
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let mut table = VoteTable::new();
    let mut rows = sqlx::query!(
        "SELECT l.photo_id, l.attribute_id, l.answer, l.value_id, a.name AS annotator
         FROM labels l JOIN annotators a ON a.id = l.annotator_id
         WHERE l.project_id = $1 AND l.attribute_id = ANY($2) AND l.superseded_at IS NULL AND NOT l.gold
           AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
         ORDER BY l.id",
        project_id,
        &attributes,
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let entry = catalog.by_id(row.attribute_id)?;
        let answer = entry.answer(&row.answer, row.value_id)?;
        if let Some(item) = item(row.photo_id) {
            table.push(item, &row.annotator, entry.key(), answer.key());
        }
    }
    Ok(table)
}

/// Photos that are answered, by id, named by their ids: the measures want names.
pub(crate) async fn photo_names(connection: &mut PgConnection, project_id: i64) -> Result<HashMap<i64, String>> {
    let ids = sqlx::query_scalar!("SELECT photo_id FROM tasks WHERE project_id = $1", project_id)
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(|id| (id, id.to_string())).collect())
}
