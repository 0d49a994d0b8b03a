//! Annotating: photos are claimed, answered, and taken back.
//!
//! A photo has as many slots as the project asks annotators. A claim holds one slot for one annotator until it expires;
//! an expired one goes back to the queue when the next annotator asks for photos. A claim that is done and comes back
//! to its annotator (undo, or a guideline that puts labels in doubt) is *returned*: it keeps its slot and does not
//! expire, since its labels stand until they are answered again.

mod claim;
mod load;
mod progress;
mod submit;
pub(crate) mod write;

pub use claim::{claim, history, release, release_all, undo};
pub use progress::my_progress;
pub use submit::{MAX_NOTE, submit};

use sqlx::PgConnection;

use crate::{
    error::{Error, Result},
    rights::Access,
};

/// The annotator of the acting user, if they have one in this project.
pub(crate) async fn annotator(connection: &mut PgConnection, access: &Access) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM annotators WHERE project_id = $1 AND user_id = $2",
        access.project_id,
        access.user_id,
    )
    .fetch_optional(connection)
    .await?)
}

/// The annotator of the acting user; who has imported labels under the user's name becomes that annotator.
pub(crate) async fn ensure_annotator(connection: &mut PgConnection, access: &Access) -> Result<i64> {
    if let Some(id) = annotator(connection, access).await? {
        return Ok(id);
    }
    // Two first requests at once: the later one waits here and finds the row of the earlier.
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", access.user_id)
        .fetch_one(&mut *connection)
        .await?;
    if let Some(id) = annotator(connection, access).await? {
        return Ok(id);
    }
    sqlx::query!(
        "INSERT INTO annotators (project_id, name, user_id)
         SELECT $1, coalesce(a.name, u.name), u.id
         FROM users u LEFT JOIN annotators a ON a.project_id = $1 AND lower(a.name) = lower(u.name)
         WHERE u.id = $2
         ORDER BY a.name = u.name DESC LIMIT 1
         ON CONFLICT (project_id, name) DO UPDATE SET user_id = EXCLUDED.user_id WHERE annotators.user_id IS NULL",
        access.project_id,
        access.user_id,
    )
    .execute(&mut *connection)
    .await?;
    annotator(connection, access).await?.ok_or_else(|| {
        Error::Conflict("another account labels under your name in this project: ask the lead to rename it".to_owned())
    })
}
