//! Decisions that no longer stand.

use kenami_domain::view::review::{Cause, Decision};

use super::labelled_photo;
use crate::{
    actor::Actor,
    catalog::Catalog,
    db::Db,
    error::Result,
    rights::{self, Operation},
};

/// All decisions ever made about one photo and attribute, newest first, those that were replaced or taken back included.
/// An exact duplicate stands for its original.
///
/// # Errors
/// [`crate::error::Error::NotFound`] for an unknown photo or attribute; rights; the database.
pub async fn decisions(actor: &Actor, db: &Db, project: &str, photo_id: i64, attribute: &str) -> Result<Vec<Decision>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let photo_id = labelled_photo(db, access.project_id, photo_id).await?;
    let rows = sqlx::query!(
        "SELECT d.answer, d.value_id, d.cause, d.reason, u.name AS reviewer, d.created_at
         FROM adjudications d JOIN users u ON u.id = d.reviewer_id
         WHERE d.photo_id = $1 AND d.attribute_id = $2
         ORDER BY d.id DESC",
        photo_id,
        entry.id,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Decision {
                answer: entry.answer(&row.answer, row.value_id)?,
                cause: row.cause.parse::<Cause>().unwrap_or(Cause::Other),
                reason: row.reason,
                reviewer: row.reviewer,
                created_at: row.created_at,
            })
        })
        .collect()
}
