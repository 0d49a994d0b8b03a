//! Undoing the newest change, as long as nobody has labelled on top of it.

use kenami_domain::view::schema_change::SchemaChange;
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use super::{before::Before, given::photos_back, lock};
use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    queue,
    rights::{Operation, require},
    slots,
};

/// Undoes a change: labels, decisions, gold answers, priors, orders, names and what was retired are as they were before. Values
/// and attributes that the change added are retired.
///
/// # Errors
/// [`Error::NotFound`] for an unknown change, or one that has been undone; [`Error::Conflict`] if later changes stand, or
/// somebody has labelled on top of it; rights; the database.
pub async fn undo(actor: &Actor, db: &Db, key: &str, change_id: i64) -> Result<()> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    let mut tx = db.begin().await?;
    lock(&mut tx, access.project_id, true).await?;
    let row = sqlx::query!(
        r#"SELECT change AS "change: Json<SchemaChange>", before AS "before: Json<Before>",
                  EXISTS (SELECT 1 FROM schema_changes l
                          WHERE l.project_id = $2 AND l.id > $1 AND l.undone_at IS NULL) AS "later!"
           FROM schema_changes WHERE id = $1 AND project_id = $2 AND undone_at IS NULL"#,
        change_id,
        access.project_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("change"))?;
    if row.later {
        return Err(Error::Conflict("later changes stand: undo the newest first".to_owned()));
    }
    if labelled_on_top(&mut tx, change_id, &row.change.0).await? {
        return Err(Error::Conflict("somebody has labelled on top of this change: it stays".to_owned()));
    }
    row.before.0.put_back(&mut tx).await?;
    photos_back(&mut tx, change_id).await?;
    let mut photos = doubts_back(&mut tx, change_id, access.user_id).await?;
    photos.extend(labels_back(&mut tx, change_id).await?);
    decisions_back(&mut tx, change_id).await?;
    gold_back(&mut tx, change_id, access.user_id).await?;
    photos.sort_unstable();
    photos.dedup();
    let returned = claims_back(&mut tx, change_id).await?;
    slots::lock_tasks(&mut *tx, &photos).await?;
    let opened = slots_back(&mut tx, change_id).await?;
    // Votes are what they were: what their photos need.
    queue::settle(&mut *tx, &photos).await?;
    sqlx::query!(
        "UPDATE schema_changes SET undone_by = $2, undone_at = now() WHERE id = $1",
        change_id,
        access.user_id,
    )
    .execute(&mut *tx)
    .await?;
    audit::record(&mut tx, &access, Operation::ManageProject, json!({ "schema_change_undone": change_id })).await?;
    tx.commit().await?;
    if returned || opened {
        slots::recount(db, access.project_id).await?;
    }
    Ok(())
}

/// Whether somebody has answered on top of a change: an answer whose meaning would change with it.
pub(super) async fn labelled_on_top(tx: &mut PgConnection, change_id: i64, change: &SchemaChange) -> Result<bool> {
    let (attribute, value) = match change {
        // Names, the order, and what is offered change no answer: a label is of a key, whatever that is called. What is
        // labelled on top keeps its meaning when they are as before.
        SchemaChange::Rename { .. }
        | SchemaChange::OrderAttributes { .. }
        | SchemaChange::OrderValues { .. }
        | SchemaChange::RetireAttribute { .. }
        | SchemaChange::RetireValue { .. } => return Ok(false),
        SchemaChange::AddAttribute { key, .. } => (key, None),
        SchemaChange::RestoreAttribute { attribute }
        | SchemaChange::SplitValue { attribute, .. }
        | SchemaChange::MergeValues { attribute, .. } => (attribute, None),
        SchemaChange::MergeAttributes { into, .. } => (into, None),
        SchemaChange::AddValue { attribute, value } => (attribute, Some(&value.key)),
        SchemaChange::RestoreValue { attribute, value } => (attribute, Some(value)),
    };
    // What changes and their undoing have written themselves is nobody's answer.
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT 1 FROM labels l LEFT JOIN attribute_values v ON v.id = l.value_id
               WHERE l.project_id = c.project_id AND l.attribute_id = a.id AND l.id > c.last_label
                 AND ($3::text IS NULL OR v.key = $3)
                 AND NOT EXISTS (SELECT 1 FROM schema_change_rows r
                                 WHERE r.kind IN ('label', 'restored_label') AND r.new_id = l.id))
             OR EXISTS (
               SELECT 1 FROM adjudications j LEFT JOIN attribute_values v ON v.id = j.value_id
               WHERE j.project_id = c.project_id AND j.attribute_id = a.id AND j.id > c.last_decision
                 AND ($3::text IS NULL OR v.key = $3)
                 AND NOT EXISTS (SELECT 1 FROM schema_change_rows r
                                 WHERE r.kind IN ('decision', 'restored_decision') AND r.new_id = j.id)) AS "on_top!"
           FROM schema_changes c JOIN attributes a ON a.project_id = c.project_id AND a.key = $2
           WHERE c.id = $1"#,
        change_id,
        attribute,
        value,
    )
    .fetch_one(tx)
    .await?)
}

/// Labels that it put in doubt are votes again, as far as no other doubt concerns them; their photos.
async fn doubts_back(tx: &mut PgConnection, change_id: i64, user_id: i64) -> Result<Vec<i64>> {
    sqlx::query!("DELETE FROM label_doubts WHERE schema_change_id = $1 AND guideline_version_id IS NULL", change_id)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("UPDATE label_doubts SET schema_change_id = NULL WHERE schema_change_id = $1", change_id)
        .execute(&mut *tx)
        .await?;
    Ok(sqlx::query_scalar!(
        r#"WITH undone AS (
               UPDATE annotator_doubts SET undone_at = now(), undone_by = $2
               WHERE schema_change_id = $1 AND undone_at IS NULL RETURNING id
           ), gone AS (
               DELETE FROM doubted_labels d USING undone u WHERE d.doubt_id = u.id RETURNING d.label_id
           )
           SELECT l.photo_id AS "photo_id!" FROM gone g JOIN labels l ON l.id = g.label_id"#,
        change_id,
        user_id,
    )
    .fetch_all(tx)
    .await?)
}

/// Labels that were written are superseded; those that they replaced stand again, appended anew. The photos of all.
async fn labels_back(tx: &mut PgConnection, change_id: i64) -> Result<Vec<i64>> {
    sqlx::query!(
        "UPDATE labels l SET superseded_at = now() FROM schema_change_rows r
         WHERE r.change_id = $1 AND r.kind = 'label' AND l.id = r.new_id AND l.superseded_at IS NULL",
        change_id,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "WITH new AS (
             INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, note,
                                 guideline_version_id, duration_ms, suggestion, source, created_at, supersedes, gold)
             SELECT l.project_id, l.photo_id, l.attribute_id, l.annotator_id, l.answer, l.value_id, l.note,
                    l.guideline_version_id, l.duration_ms, l.suggestion, l.source, l.created_at, r.new_id, l.gold
             FROM schema_change_rows r JOIN labels l ON l.id = r.old_id
             WHERE r.change_id = $1 AND r.kind = 'label'
             RETURNING id, supersedes)
         INSERT INTO schema_change_rows (change_id, kind, old_id, new_id)
         SELECT $1, 'restored_label', supersedes, id FROM new",
        change_id,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO label_doubts (label_id, guideline_version_id, schema_change_id, created_at)
         SELECT r.new_id, d.guideline_version_id, d.schema_change_id, d.created_at
         FROM schema_change_rows r JOIN label_doubts d ON d.label_id = r.old_id
         WHERE r.change_id = $1 AND r.kind = 'restored_label'",
        change_id,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO doubted_labels (label_id, doubt_id)
         SELECT r.new_id, d.doubt_id FROM schema_change_rows r JOIN doubted_labels d ON d.label_id = r.old_id
         WHERE r.change_id = $1 AND r.kind = 'restored_label'",
        change_id,
    )
    .execute(&mut *tx)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT l.photo_id AS "photo_id!" FROM schema_change_rows r JOIN labels l ON l.id = r.new_id
           WHERE r.change_id = $1 AND r.kind = 'label'"#,
        change_id,
    )
    .fetch_all(tx)
    .await?)
}

/// Decisions likewise.
async fn decisions_back(tx: &mut PgConnection, change_id: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE adjudications a SET superseded_at = now() FROM schema_change_rows r
         WHERE r.change_id = $1 AND r.kind = 'decision' AND a.id = r.new_id AND a.superseded_at IS NULL",
        change_id,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "WITH new AS (
             INSERT INTO adjudications (project_id, photo_id, attribute_id, reviewer_id, answer, value_id, cause, reason,
                                        guideline_version_id, created_at, supersedes)
             SELECT a.project_id, a.photo_id, a.attribute_id, a.reviewer_id, a.answer, a.value_id, a.cause, a.reason,
                    a.guideline_version_id, a.created_at, r.new_id
             FROM schema_change_rows r JOIN adjudications a ON a.id = r.old_id
             WHERE r.change_id = $1 AND r.kind = 'decision'
             RETURNING id, supersedes)
         INSERT INTO schema_change_rows (change_id, kind, old_id, new_id)
         SELECT $1, 'restored_decision', supersedes, id FROM new",
        change_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Gold answers likewise; those that were removed since stay removed.
async fn gold_back(tx: &mut PgConnection, change_id: i64, user_id: i64) -> Result<()> {
    let back = sqlx::query_scalar!(
        r#"UPDATE gold_answers g SET removed_at = now(), removed_by = $2 FROM schema_change_rows r
           WHERE r.change_id = $1 AND r.kind = 'gold' AND g.id = r.new_id AND g.removed_at IS NULL
           RETURNING r.old_id AS "old_id!""#,
        change_id,
        user_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO gold_answers (project_id, photo_id, attribute_id, answer, value_id, explanation, created_by, created_at)
         SELECT project_id, photo_id, attribute_id, answer, value_id, explanation, created_by, created_at
         FROM gold_answers WHERE id = ANY($1)",
        &back,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Photos that went back and were not answered since are done again, unless a rule has put an answer in doubt too; whether
/// there are any.
async fn claims_back(tx: &mut PgConnection, change_id: i64) -> Result<bool> {
    let back = sqlx::query!(
        "UPDATE claims c SET done_at = r.done_at, returned_at = NULL FROM schema_change_rows r
         WHERE r.change_id = $1 AND r.kind = 'claim' AND c.id = r.old_id AND c.done_at IS NULL AND c.released_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM labels l JOIN label_doubts d ON d.label_id = l.id
                           WHERE l.photo_id = c.photo_id AND l.annotator_id = c.annotator_id AND l.superseded_at IS NULL)",
        change_id,
    )
    .execute(tx)
    .await?;
    Ok(back.rows_affected() > 0)
}

/// Claims whose slots were open to others have slots again, unless their labels are in another doubt; whether there are any.
/// The caller has locked the tasks.
async fn slots_back(tx: &mut PgConnection, change_id: i64) -> Result<bool> {
    let back = sqlx::query!(
        r#"SELECT c.annotator_id, array_agg(c.photo_id) AS "photo_ids!"
           FROM schema_change_rows r JOIN claims c ON c.id = r.old_id
           WHERE r.change_id = $1 AND r.kind = 'slot' AND c.slot IS NULL AND c.released_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM labels l JOIN doubted_labels d ON d.label_id = l.id
                             WHERE l.photo_id = c.photo_id AND l.annotator_id = c.annotator_id
                               AND l.superseded_at IS NULL)
           GROUP BY c.annotator_id ORDER BY c.annotator_id"#,
        change_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    for of in &back {
        slots::come_back(&mut *tx, of.annotator_id, &of.photo_ids).await?;
    }
    Ok(!back.is_empty())
}
