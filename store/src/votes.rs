//! The votes: labels that stand, were not given on gold, and are in no doubt: a lead's, a publication's, or a split's.
//!
//! Whoever counts votes in SQL says the same:
//! `l.superseded_at IS NULL AND NOT l.gold AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)`.

use std::collections::HashMap;

use futures::TryStreamExt;
use kenami_domain::votes::VoteTable;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{catalog::Catalog, error::Result};

/// Loads the votes on the attributes that are still answered. `item` names a photo by its id; photos that it
/// does not know are left out.
pub(crate) async fn load<'a>(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    item: impl FnMut(i64) -> Option<&'a str>,
) -> Result<VoteTable> {
    Ok(load_dated(connection, project_id, catalog, item).await?.table)
}

/// Votes, and by the number that each has in the table what else is known of it.
pub(crate) struct Dated {
    pub(crate) table: VoteTable,
    /// The guideline version under which it was given.
    pub(crate) versions: Vec<Option<i32>>,
    /// When it was given.
    pub(crate) given_at: Vec<OffsetDateTime>,
}

/// As [`load`], with versions and times.
pub(crate) async fn load_dated<'a>(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    mut item: impl FnMut(i64) -> Option<&'a str>,
) -> Result<Dated> {
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let mut votes = Dated { table: VoteTable::new(), versions: Vec::new(), given_at: Vec::new() };
    let mut rows = sqlx::query!(
        r#"SELECT l.photo_id, l.attribute_id, l.answer, l.value_id, a.name AS annotator, l.created_at,
                  g.version AS "version?"
           FROM labels l JOIN annotators a ON a.id = l.annotator_id
           LEFT JOIN guideline_versions g ON g.id = l.guideline_version_id
           WHERE l.project_id = $1 AND l.attribute_id = ANY($2) AND l.superseded_at IS NULL AND NOT l.gold
             AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
           ORDER BY l.id"#,
        project_id,
        &attributes,
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let entry = catalog.by_id(row.attribute_id)?;
        let answer = entry.answer(&row.answer, row.value_id)?;
        if let Some(item) = item(row.photo_id) {
            votes.table.push(item, &row.annotator, entry.key(), answer.key());
            votes.versions.push(row.version);
            votes.given_at.push(row.created_at);
        }
    }
    Ok(votes)
}

/// Photos that are answered, by id, named by their ids: the measures want names.
pub(crate) async fn photo_names(connection: &mut PgConnection, project_id: i64) -> Result<HashMap<i64, String>> {
    let ids = sqlx::query_scalar!("SELECT photo_id FROM tasks WHERE project_id = $1", project_id)
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(|id| (id, id.to_string())).collect())
}
