//! What a lead does about an annotator: a pause, and doubts about their labels.

mod doubt;
mod pause;

pub use doubt::{doubt, doubt_count, undo_doubt};
pub use pause::{pause, resume};

use sqlx::PgExecutor;

use crate::error::{Error, Result};

/// Locks an annotator of the project, as [`crate::slots::lock_annotator`] does.
async fn lock(db: impl PgExecutor<'_>, project_id: i64, annotator_id: i64) -> Result<()> {
    sqlx::query!(
        "SELECT id FROM annotators WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE",
        annotator_id,
        project_id,
    )
    .fetch_optional(db)
    .await?
    .map(drop)
    .ok_or(Error::NotFound("annotator"))
}
