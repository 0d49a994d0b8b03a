//! Gold that ends: its row stays, with who ended it.

use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    queue,
    review::labelled_photo,
    rights::{self, Operation},
    slots,
};

/// Takes one attribute of a photo out of the gold. The decision and all labels stay; a photo that is not gold in full any
/// more asks for votes again.
///
/// # Errors
/// [`Error::NotFound`] for an unknown photo or attribute, or where it is not gold; rights; the database.
pub async fn remove(actor: &Actor, db: &Db, project: &str, photo_id: i64, attribute: &str) -> Result<()> {
    let access = rights::require(actor, db, Operation::ManageGold, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let photo_id = labelled_photo(&mut *tx, access.project_id, photo_id).await?;
    let removed = sqlx::query!(
        "UPDATE gold_answers SET removed_at = now(), removed_by = $3
         WHERE photo_id = $1 AND attribute_id = $2 AND removed_at IS NULL",
        photo_id,
        entry.id,
        access.user_id,
    )
    .execute(&mut *tx)
    .await?;
    if removed.rows_affected() == 0 {
        return Err(Error::NotFound("gold answer"));
    }
    slots::lock_tasks(&mut *tx, &[photo_id]).await?;
    queue::settle(&mut *tx, &[photo_id]).await?;
    let details = json!({ "photo": photo_id, "attribute": attribute, "removed": true });
    audit::record(&mut tx, &access, Operation::ManageGold, details).await?;
    Ok(tx.commit().await?)
}

/// Ends a gold answer that is not the standing decision any more. The caller has locked the photo and settles it.
pub(crate) async fn follow_decision(
    connection: &mut PgConnection,
    photo_id: i64,
    attribute_id: i64,
    user_id: i64,
) -> Result<()> {
    sqlx::query!(
        "UPDATE gold_answers g SET removed_at = now(), removed_by = $3
         WHERE g.photo_id = $1 AND g.attribute_id = $2 AND g.removed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM adjudications d
                           WHERE d.photo_id = $1 AND d.attribute_id = $2 AND d.superseded_at IS NULL
                             AND d.answer = g.answer AND d.value_id IS NOT DISTINCT FROM g.value_id)",
        photo_id,
        attribute_id,
        user_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}
