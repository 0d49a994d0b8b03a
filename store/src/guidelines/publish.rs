//! Publishing.

use kenami_domain::view::guidelines::{DoubtScope, ExampleEdit, GuidelineText, GuidelineVersion, RuleEdit};
use serde_json::json;
use sqlx::PgConnection;

use super::{doubt, draft, load, text};
use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    slots,
};

/// Publishes the draft as the next version and puts the votes of `doubt` in doubt, if any: until they are given again they
/// are no votes, and their photos go back to the queue ([`super::scope_count`] says how many). `change_note` replaces the
/// draft's where it is not empty.
///
/// # Errors
/// [`Error::Invalid`] if a version after the first has no change note, and for unknown values; [`Error::NotFound`] for an
/// unknown attribute or where there is no draft; rights; the database.
pub async fn publish(
    actor: &Actor,
    db: &Db,
    project: &str,
    attribute: &str,
    change_note: &str,
    doubt: Option<&DoubtScope>,
) -> Result<GuidelineVersion> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    draft::check_note(change_note)?;
    let mut tx = db.begin().await?;
    // Who is just answering comes before or after, whole: an answer is never in doubt under the version that it was given under.
    let annotators = slots::lock_annotators(&mut *tx, access.project_id).await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    draft::lock(&mut tx, entry.id).await?;
    let published = sqlx::query!(
        r#"UPDATE guideline_versions SET
               version = (SELECT coalesce(max(version), 0) + 1 FROM guideline_versions WHERE attribute_id = $1),
               change_note = CASE WHEN $2 = '' THEN change_note ELSE $2 END, doubt = $4,
               published_by = $3, published_at = clock_timestamp(), updated_at = clock_timestamp()
           WHERE attribute_id = $1 AND version IS NULL
           RETURNING id, version AS "version!", change_note"#,
        entry.id,
        change_note.trim(),
        access.user_id,
        doubt.map(serde_json::to_value).transpose()?,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("draft"))?;
    if published.version > 1 && published.change_note.is_empty() {
        return Err(Error::invalid("change_note", "say what changes and why: annotators read it"));
    }
    let count = match doubt {
        Some(scope) => {
            let count = doubt::raise(&mut tx, &access, entry, published.id, scope).await?;
            slots::count_done(&mut *tx, &annotators).await?;
            Some(count)
        }
        None => None,
    };
    let details = json!({ "published": published.version, "attribute": attribute, "doubt": doubt, "count": count });
    audit::record(&mut tx, &access, Operation::EditGuidelines, details).await?;
    let version = newest(&mut tx, entry.id).await?;
    tx.commit().await?;
    Ok(version)
}

async fn newest(connection: &mut PgConnection, attribute_id: i64) -> Result<GuidelineVersion> {
    let history = load::histories(connection, &[attribute_id]).await?.remove(&attribute_id);
    let newest = history.into_iter().flatten().next();
    newest.map(|(_, version)| version).ok_or(Error::NotFound("guideline version"))
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
