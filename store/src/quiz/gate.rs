//! Whether an annotator is given photos at all.

use kenami_domain::{roles::Role, view::annotate::Stopped};
use sqlx::{PgConnection, PgExecutor};

use super::begin::unseen;
use crate::{error::Result, rights::Access};

/// Why the annotator is given no photos, if so.
pub(crate) async fn stopped(
    connection: &mut PgConnection,
    access: &Access,
    annotator_id: i64,
) -> Result<Option<Stopped>> {
    let row = sqlx::query!(
        r#"SELECT a.paused_at IS NOT NULL AS "paused!", p.quiz_length,
                  p.quiz_length > 0 AND a.photos_done = 0 AND a.quiz_excused_at IS NULL
                  AND NOT EXISTS (SELECT 1 FROM quizzes q WHERE q.annotator_id = a.id AND q.passed) AS "quiz!",
                  EXISTS (SELECT 1 FROM quizzes q WHERE q.annotator_id = a.id) AS "begun!"
           FROM annotators a JOIN projects p ON p.id = a.project_id WHERE a.id = $1"#,
        annotator_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    if row.paused {
        return Ok(Some(Stopped::Paused));
    }
    if !row.quiz || access.role != Role::Annotator {
        return Ok(None);
    }
    let length = i64::from(row.quiz_length);
    let due = row.begun || unseen(connection, annotator_id, length).await?.len() as i64 == length;
    Ok(due.then_some(Stopped::Quiz))
}

/// Whether the annotator is on pause.
pub(crate) async fn is_paused(db: impl PgExecutor<'_>, annotator_id: i64) -> Result<bool> {
    Ok(sqlx::query_scalar!(r#"SELECT paused_at IS NOT NULL AS "paused!" FROM annotators WHERE id = $1"#, annotator_id,)
        .fetch_one(db)
        .await?)
}
