//! Annotators on pause.

use serde_json::json;

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::Result,
    rights::{self, Operation},
    slots,
};

/// Gives an annotator no more photos; those that they hold go back to the queue. Answers that are still on their way are
/// kept.
///
/// # Errors
/// [`crate::error::Error::NotFound`] for an unknown annotator; rights; the database.
pub async fn pause(actor: &Actor, db: &Db, project: &str, annotator_id: i64) -> Result<()> {
    let access = rights::require(actor, db, Operation::OverseeAnnotators, project).await?;
    let mut tx = db.begin().await?;
    super::lock(&mut *tx, access.project_id, annotator_id).await?;
    sqlx::query!(
        "UPDATE annotators SET paused_at = now(), paused_by = $2 WHERE id = $1 AND paused_at IS NULL",
        annotator_id,
        access.user_id,
    )
    .execute(&mut *tx)
    .await?;
    slots::release_annotators(&mut tx, &[annotator_id]).await?;
    let details = json!({ "annotator": annotator_id, "paused": true });
    audit::record(&mut tx, &access, Operation::OverseeAnnotators, details).await?;
    Ok(tx.commit().await?)
}

/// Ends a pause.
///
/// # Errors
/// [`crate::error::Error::NotFound`] for an unknown annotator; rights; the database.
pub async fn resume(actor: &Actor, db: &Db, project: &str, annotator_id: i64) -> Result<()> {
    let access = rights::require(actor, db, Operation::OverseeAnnotators, project).await?;
    let mut tx = db.begin().await?;
    super::lock(&mut *tx, access.project_id, annotator_id).await?;
    sqlx::query!("UPDATE annotators SET paused_at = NULL, paused_by = NULL WHERE id = $1", annotator_id)
        .execute(&mut *tx)
        .await?;
    let details = json!({ "annotator": annotator_id, "paused": false });
    audit::record(&mut tx, &access, Operation::OverseeAnnotators, details).await?;
    Ok(tx.commit().await?)
}
