//! A lead's doubt about labels of one annotator: their photos go to others, and until it is taken back the labels are no
//! votes. What a guideline or a split puts in doubt is kept the same way ([`crate::doubts`]), and is not taken back here.

use kenami_domain::view::report::{DoubtCount, DoubtInput};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    queue,
    rights::{self, Operation},
    slots,
};

/// The most characters of a reason.
const MAX_REASON: usize = 1_000;

/// How many labels and photos a doubt would concern now.
///
/// # Errors
/// [`Error::NotFound`] for an unknown annotator or attribute; rights; the database.
pub async fn doubt_count(
    actor: &Actor,
    db: &Db,
    project: &str,
    annotator_id: i64,
    input: &DoubtInput,
) -> Result<DoubtCount> {
    let access = rights::require(actor, db, Operation::OverseeAnnotators, project).await?;
    let mut tx = db.begin().await?;
    super::lock(&mut *tx, access.project_id, annotator_id).await?;
    let attribute_id = attribute(&mut tx, access.project_id, input).await?;
    let (labels, mut photos): (Vec<i64>, Vec<i64>) =
        meant(&mut tx, annotator_id, attribute_id, input).await?.into_iter().unzip();
    photos.sort_unstable();
    photos.dedup();
    Ok(DoubtCount { labels: labels.len() as i64, photos: photos.len() as i64 })
}

/// Puts labels of an annotator in doubt: they stay and are no votes until the doubt is taken back or the annotator answers
/// again; their photos go back to the queue, for others. How many there were.
///
/// # Errors
/// [`Error::NotFound`] for an unknown annotator or attribute; [`Error::Invalid`] of a long reason, or where there is no such
/// label; rights; the database.
pub async fn doubt(actor: &Actor, db: &Db, project: &str, annotator_id: i64, input: &DoubtInput) -> Result<DoubtCount> {
    let access = rights::require(actor, db, Operation::OverseeAnnotators, project).await?;
    if input.reason.chars().count() > MAX_REASON {
        return Err(Error::invalid("reason", format!("longer than {MAX_REASON} characters")));
    }
    let mut tx = db.begin().await?;
    super::lock(&mut *tx, access.project_id, annotator_id).await?;
    let attribute_id = attribute(&mut tx, access.project_id, input).await?;
    let (labels, mut photos): (Vec<i64>, Vec<i64>) =
        meant(&mut tx, annotator_id, attribute_id, input).await?.into_iter().unzip();
    if labels.is_empty() {
        return Err(Error::invalid("since", "there is no such label"));
    }
    photos.sort_unstable();
    photos.dedup();
    let count = DoubtCount { labels: labels.len() as i64, photos: photos.len() as i64 };
    sqlx::query!(
        "WITH doubt AS (
             INSERT INTO annotator_doubts (project_id, annotator_id, attribute_id, since, reason, labels, photos, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id)
         INSERT INTO doubted_labels (label_id, doubt_id) SELECT l.id, doubt.id FROM doubt, unnest($9::bigint[]) AS l(id)",
        access.project_id,
        annotator_id,
        attribute_id,
        input.since,
        input.reason.trim(),
        count.labels,
        count.photos,
        access.user_id,
        &labels,
    )
    .execute(&mut *tx)
    .await?;
    slots::leave(&mut tx, annotator_id, &photos).await?;
    settle(&mut tx, annotator_id, &photos).await?;
    let details = json!({ "annotator": annotator_id, "doubt": input, "count": count });
    audit::record(&mut tx, &access, Operation::OverseeAnnotators, details).await?;
    tx.commit().await?;
    Ok(count)
}

/// Takes a doubt back: its labels are votes again, as far as no other doubt concerns them, and their photos have their slots.
/// What others have answered meanwhile stays.
///
/// # Errors
/// [`Error::NotFound`] for a doubt that is not about this annotator or has been taken back; rights; the database.
pub async fn undo_doubt(actor: &Actor, db: &Db, project: &str, annotator_id: i64, doubt_id: i64) -> Result<()> {
    let access = rights::require(actor, db, Operation::OverseeAnnotators, project).await?;
    let mut tx = db.begin().await?;
    super::lock(&mut *tx, access.project_id, annotator_id).await?;
    let undone = sqlx::query!(
        "UPDATE annotator_doubts SET undone_at = now(), undone_by = $3
         WHERE id = $1 AND annotator_id = $2 AND undone_at IS NULL
           AND guideline_version_id IS NULL AND schema_change_id IS NULL",
        doubt_id,
        annotator_id,
        access.user_id,
    )
    .execute(&mut *tx)
    .await?;
    if undone.rows_affected() == 0 {
        return Err(Error::NotFound("doubt"));
    }
    let labels = sqlx::query_scalar!("DELETE FROM doubted_labels WHERE doubt_id = $1 RETURNING label_id", doubt_id)
        .fetch_all(&mut *tx)
        .await?;
    let photos = sqlx::query_scalar!(
        r#"SELECT DISTINCT l.photo_id AS "photo_id!" FROM labels l
           WHERE l.id = ANY($1)
             AND NOT EXISTS (SELECT 1 FROM labels o JOIN doubted_labels d ON d.label_id = o.id
                             WHERE o.photo_id = l.photo_id AND o.annotator_id = $2 AND o.superseded_at IS NULL)
           ORDER BY 1"#,
        &labels,
        annotator_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    slots::come_back(&mut tx, annotator_id, &photos).await?;
    settle(&mut tx, annotator_id, &photos).await?;
    let details = json!({ "annotator": annotator_id, "doubt_undone": doubt_id });
    audit::record(&mut tx, &access, Operation::OverseeAnnotators, details).await?;
    Ok(tx.commit().await?)
}

async fn attribute(connection: &mut PgConnection, project_id: i64, input: &DoubtInput) -> Result<Option<i64>> {
    let Some(key) = &input.attribute else { return Ok(None) };
    let catalog = Catalog::load(connection, project_id).await?;
    Ok(Some(catalog.annotated_by_key(key)?.id))
}

/// The labels that are meant, those included that another doubt concerns already, with their photos.
async fn meant(
    connection: &mut PgConnection,
    annotator_id: i64,
    attribute_id: Option<i64>,
    input: &DoubtInput,
) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        "SELECT l.id, l.photo_id FROM labels l
         WHERE l.annotator_id = $1 AND ($2::bigint IS NULL OR l.attribute_id = $2)
           AND ($3::timestamptz IS NULL OR l.created_at >= $3)
           AND l.superseded_at IS NULL AND NOT l.gold",
        annotator_id,
        attribute_id,
        input.since,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.photo_id)).collect())
}

/// The votes have changed: what the photos need, and what the annotator has finished for the project.
async fn settle(connection: &mut PgConnection, annotator_id: i64, photos: &[i64]) -> Result<()> {
    slots::lock_tasks(&mut *connection, photos).await?;
    queue::settle(&mut *connection, photos).await?;
    slots::count_done(connection, &[annotator_id]).await
}
