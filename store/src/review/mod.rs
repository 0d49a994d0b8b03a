//! Disagreements between annotators, and reviewers' decisions.

mod agreement;
mod decide;
mod history;
mod list;
mod load;
mod report;
mod suspects;

pub use agreement::{agreement, pairs};
pub use decide::{MAX_REASON, MOST_AT_ONCE, decide, decide_many, reopen};
pub(crate) use decide::{NewDecision, append};
pub use history::decisions;
pub use list::{disagreement, disagreements};
pub use report::report;
pub use suspects::{find_suspects, suspects};

use sqlx::PgExecutor;

use crate::error::{Error, Result};

/// The photo of the project that carries the labels: `photo_id` itself, or the original of an exact duplicate.
pub(crate) async fn labelled_photo(db: impl PgExecutor<'_>, project_id: i64, photo_id: i64) -> Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(duplicate_of, id) AS "id!" FROM photos WHERE id = $1 AND project_id = $2"#,
        photo_id,
        project_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("photo"))
}
