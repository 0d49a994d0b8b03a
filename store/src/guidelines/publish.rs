//! Publishing, and what it puts in doubt.

use kenami_domain::view::guidelines::{Doubt, ExampleEdit, GuidelineText, GuidelineVersion, RuleEdit};
use serde_json::json;
use sqlx::PgConnection;

use super::{draft, load, text};
use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Access, Operation},
    slots,
};

/// Publishes the draft as the next version and puts standing labels in doubt: their photos return to the annotators who
/// gave them, as far as these can still answer. `change_note` replaces the draft's where it is not empty.
///
/// # Errors
/// [`Error::Invalid`] if a version after the first has no change note; [`Error::NotFound`] for an unknown attribute or
/// where there is no draft; rights; the database.
pub async fn publish(
    actor: &Actor,
    db: &Db,
    project: &str,
    attribute: &str,
    change_note: &str,
    doubt: Doubt,
) -> Result<GuidelineVersion> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    draft::check_note(change_note)?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    draft::lock(&mut tx, entry.id).await?;
    let published = sqlx::query!(
        r#"UPDATE guideline_versions SET
               version = (SELECT coalesce(max(version), 0) + 1 FROM guideline_versions WHERE attribute_id = $1),
               change_note = CASE WHEN $2 = '' THEN change_note ELSE $2 END,
               published_by = $3, published_at = now(), updated_at = now()
           WHERE attribute_id = $1 AND version IS NULL
           RETURNING id, version AS "version!", change_note"#,
        entry.id,
        change_note.trim(),
        access.user_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("draft"))?;
    if published.version > 1 && published.change_note.is_empty() {
        return Err(Error::invalid("change_note", "say what changes and why: annotators read it"));
    }
    let (doubted, returned) = put_in_doubt(&mut tx, &access, entry.id, published.id, doubt).await?;
    let details = json!({
        "published": published.version, "attribute": attribute, "doubt": doubt, "labels_in_doubt": doubted,
        "photos_returned": returned,
    });
    audit::record(&mut tx, &access, Operation::EditGuidelines, details).await?;
    let version = newest(&mut tx, entry.id).await?;
    tx.commit().await?;
    if returned > 0 {
        slots::recount(db, access.project_id).await?;
    }
    Ok(version)
}

/// Marks standing labels as doubtful and returns their photos; how many of each.
async fn put_in_doubt(
    connection: &mut PgConnection,
    access: &Access,
    attribute_id: i64,
    version_id: i64,
    doubt: Doubt,
) -> Result<(u64, u64)> {
    if doubt == Doubt::None {
        return Ok((0, 0));
    }
    let doubted = sqlx::query!(
        "INSERT INTO label_doubts (label_id, guideline_version_id)
         SELECT id, $3 FROM labels
         WHERE project_id = $1 AND attribute_id = $2 AND superseded_at IS NULL AND (NOT $4 OR answer = 'unsure')
         ON CONFLICT (label_id) DO UPDATE SET guideline_version_id = EXCLUDED.guideline_version_id",
        access.project_id,
        attribute_id,
        version_id,
        doubt == Doubt::Unsure,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    // Imported names without an account, members who have left and those on pause cannot answer again: their slots stay done.
    let returned = sqlx::query!(
        "UPDATE claims c SET returned_at = now(), done_at = NULL
         FROM labels l JOIN label_doubts d ON d.label_id = l.id
         JOIN annotators a ON a.id = l.annotator_id
         JOIN users u ON u.id = a.user_id
         LEFT JOIN memberships m ON m.user_id = u.id AND m.project_id = a.project_id
         WHERE d.guideline_version_id = $1 AND l.superseded_at IS NULL
           AND u.disabled_at IS NULL AND a.paused_at IS NULL AND (m.user_id IS NOT NULL OR u.administrator)
           AND c.photo_id = l.photo_id AND c.annotator_id = l.annotator_id
           AND c.released_at IS NULL AND c.done_at IS NOT NULL",
        version_id,
    )
    .execute(connection)
    .await?
    .rows_affected();
    Ok((doubted, returned))
}

async fn newest(connection: &mut PgConnection, attribute_id: i64) -> Result<GuidelineVersion> {
    let history = load::histories(connection, &[attribute_id]).await?.remove(&attribute_id);
    let newest = history.into_iter().flatten().next();
    newest.map(|(_, version)| version).ok_or(Error::NotFound("guideline version"))
}

/// How many standing labels a publication with `doubt` would put in doubt now.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute; rights; the database.
pub async fn doubt_count(actor: &Actor, db: &Db, project: &str, attribute: &str, doubt: Doubt) -> Result<i64> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    if doubt == Doubt::None {
        return Ok(0);
    }
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "labels!" FROM labels
           WHERE project_id = $1 AND attribute_id = $2 AND superseded_at IS NULL AND (NOT $3 OR answer = 'unsure')"#,
        access.project_id,
        entry.id,
        doubt == Doubt::Unsure,
    )
    .fetch_one(db)
    .await?)
}

/// Publishes `text` as version 1 where the attribute has no published version; `false` where it has one.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute or example photo; [`Error::Invalid`] for unknown values and long texts;
/// rights; the database.
pub async fn import(actor: &Actor, db: &Db, project: &str, attribute: &str, text: &GuidelineText) -> Result<bool> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    text::check_texts("introduction", &text.introduction)?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    draft::lock(&mut tx, entry.id).await?;
    let id = sqlx::query_scalar!(
        "INSERT INTO guideline_versions (attribute_id, version, introduction, created_by, published_at)
         SELECT $1, 1, $2, $3, now()
         WHERE NOT EXISTS (SELECT 1 FROM guideline_versions WHERE attribute_id = $1 AND version IS NOT NULL)
         RETURNING id",
        entry.id,
        serde_json::to_value(&text.introduction)?,
        access.user_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(id) = id else { return Ok(false) };
    let rules = text.rules.iter().map(|rule| RuleEdit {
        value: rule.value.clone(),
        rule: rule.rule.clone(),
        examples: rule
            .examples
            .iter()
            .map(|example| ExampleEdit { photo_id: example.photo.id, caption: example.caption.clone() })
            .collect(),
    });
    let rules: Vec<RuleEdit> = rules.collect();
    text::write(&mut tx, access.project_id, id, entry, &rules).await?;
    let details = json!({ "imported": 1, "attribute": attribute });
    audit::record(&mut tx, &access, Operation::EditGuidelines, details).await?;
    tx.commit().await?;
    Ok(true)
}
