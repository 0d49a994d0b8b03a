//! Reading guidelines.

use std::collections::HashMap;

use kenami_domain::{
    roles::Role,
    view::guidelines::{Draft, Guideline, GuidelineText, GuidelineVersion},
};
use sqlx::PgConnection;

use super::text;
use crate::{
    actor::Actor,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    rights::{self, Access, Operation},
};

/// The guidelines of all attributes that annotators answer, in the attributes' order. Drafts are for leads alone.
///
/// # Errors
/// Rights; the database.
pub async fn all(actor: &Actor, db: &Db, project: &str) -> Result<Vec<Guideline>> {
    let access = rights::require(actor, db, Operation::ReadGuidelines, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let entries: Vec<&Entry> = catalog.annotated().collect();
    guidelines(&mut connection, &access, &catalog, &entries).await
}

/// One attribute's guideline. The draft is for leads alone.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute; rights; the database.
pub async fn get(actor: &Actor, db: &Db, project: &str, attribute: &str) -> Result<Guideline> {
    let access = rights::require(actor, db, Operation::ReadGuidelines, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let mut guidelines = guidelines(&mut connection, &access, &catalog, &[entry]).await?;
    guidelines.pop().ok_or(Error::NotFound("attribute"))
}

/// The text of a published version as it was published.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute or version; rights; the database.
pub async fn version(actor: &Actor, db: &Db, project: &str, attribute: &str, version: i32) -> Result<GuidelineText> {
    let access = rights::require(actor, db, Operation::ReadGuidelines, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let id = sqlx::query_scalar!(
        "SELECT id FROM guideline_versions WHERE attribute_id = $1 AND version = $2",
        entry.id,
        version,
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(Error::NotFound("guideline version"))?;
    text::load(&mut connection, &catalog, &[id]).await?.remove(&id).ok_or(Error::NotFound("guideline version"))
}

async fn guidelines(
    connection: &mut PgConnection,
    access: &Access,
    catalog: &Catalog,
    entries: &[&Entry],
) -> Result<Vec<Guideline>> {
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    let mut histories = histories(connection, &ids).await?;
    let mut drafts = if access.role >= Role::Lead { drafts(connection, &ids).await? } else { HashMap::new() };
    let current = histories.values().filter_map(|history| history.first().map(|(id, _)| *id));
    let wanted: Vec<i64> = current.chain(drafts.values().map(|(id, _)| *id)).collect();
    let mut texts = text::load(connection, catalog, &wanted).await?;
    let mut guidelines = Vec::with_capacity(entries.len());
    for entry in entries {
        let history = histories.remove(&entry.id).unwrap_or_default();
        let current_text = history.first().and_then(|(id, _)| texts.remove(id));
        let draft = drafts.remove(&entry.id).and_then(|(id, draft)| {
            let text = text::offered(texts.remove(&id)?, entry);
            Some(Draft { text, ..draft })
        });
        let history: Vec<GuidelineVersion> = history.into_iter().map(|(_, version)| version).collect();
        guidelines.push(Guideline {
            attribute: entry.attribute.clone(),
            current: history.first().cloned(),
            text: current_text.map(|text| text::offered(text, entry)).unwrap_or_else(nothing),
            draft,
            history,
        });
    }
    Ok(guidelines)
}

fn nothing() -> GuidelineText {
    GuidelineText { introduction: Default::default(), rules: Vec::new() }
}

/// Published versions with their ids, newest first, per attribute id.
pub(super) async fn histories(
    connection: &mut PgConnection,
    attribute_ids: &[i64],
) -> Result<HashMap<i64, Vec<(i64, GuidelineVersion)>>> {
    let rows = sqlx::query!(
        r#"SELECT g.id, g.attribute_id, g.version AS "version!", g.change_note, u.name AS "published_by?",
                  g.published_at AS "published_at!", coalesce(l.labels, 0) AS "labels!"
           FROM guideline_versions g LEFT JOIN users u ON u.id = g.published_by
           LEFT JOIN (SELECT guideline_version_id, count(*) AS labels FROM labels
                      WHERE project_id = (SELECT project_id FROM attributes WHERE id = ($1::bigint[])[1])
                        AND attribute_id = ANY($1) AND superseded_at IS NULL
                      GROUP BY guideline_version_id) l ON l.guideline_version_id = g.id
           WHERE g.attribute_id = ANY($1) AND g.version IS NOT NULL
           ORDER BY g.attribute_id, g.version DESC"#,
        attribute_ids,
    )
    .fetch_all(connection)
    .await?;
    let mut histories: HashMap<i64, Vec<(i64, GuidelineVersion)>> = HashMap::new();
    for row in rows {
        let version = GuidelineVersion {
            version: row.version,
            change_note: row.change_note,
            published_by: row.published_by,
            published_at: row.published_at,
            labels: row.labels,
        };
        histories.entry(row.attribute_id).or_default().push((row.id, version));
    }
    Ok(histories)
}

/// Drafts with their ids, per attribute id; their texts are still to come.
async fn drafts(connection: &mut PgConnection, attribute_ids: &[i64]) -> Result<HashMap<i64, (i64, Draft)>> {
    let rows = sqlx::query!(
        r#"SELECT g.id, g.attribute_id, g.change_note, u.name AS "created_by?", g.updated_at
           FROM guideline_versions g LEFT JOIN users u ON u.id = g.created_by
           WHERE g.attribute_id = ANY($1) AND g.version IS NULL"#,
        attribute_ids,
    )
    .fetch_all(connection)
    .await?;
    let drafts = rows.into_iter().map(|row| {
        let (change_note, created_by, updated_at) = (row.change_note, row.created_by, row.updated_at);
        (row.attribute_id, (row.id, Draft { text: nothing(), change_note, created_by, updated_at }))
    });
    Ok(drafts.collect())
}

/// The draft of one attribute, with its text.
pub(super) async fn draft(connection: &mut PgConnection, catalog: &Catalog, entry: &Entry) -> Result<Draft> {
    let (id, draft) = drafts(connection, &[entry.id]).await?.remove(&entry.id).ok_or(Error::NotFound("draft"))?;
    let text = text::load(connection, catalog, &[id]).await?.remove(&id).unwrap_or_else(nothing);
    Ok(Draft { text: text::offered(text, entry), ..draft })
}
