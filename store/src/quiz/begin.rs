//! Beginning a quiz.

use kenami_domain::view::quiz::QuizState;
use sqlx::{PgConnection, PgExecutor};

use super::{answer, state};
use crate::{
    actor::Actor,
    annotate::ensure_annotator,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    slots,
};

/// Begins a quiz for the acting user, with gold photos that they have not seen; one that is open goes on, and where none is
/// due nothing begins.
///
/// # Errors
/// [`Error::Conflict`] where a lead must allow another one; rights; the database.
pub async fn begin(actor: &Actor, db: &Db, project: &str) -> Result<QuizState> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut tx = db.begin().await?;
    let annotator_id = ensure_annotator(&mut tx, &access).await?;
    slots::lock_annotator(&mut *tx, annotator_id).await?;
    let mut now = state::of(&mut tx, &access, annotator_id).await?;
    if now.question.is_none() && answer::finish_open(&mut tx, annotator_id).await? {
        // What was left of it is gold no longer.
        now = state::of(&mut tx, &access, annotator_id).await?;
    }
    if now.due && now.question.is_none() {
        if !now.can_begin {
            return Err(Error::Conflict("a lead must allow another quiz: ask them".to_owned()));
        }
        let photos = unseen(&mut *tx, annotator_id, i64::from(now.length)).await?;
        insert(&mut tx, access.project_id, annotator_id, now.pass_mark, &photos).await?;
        now = state::of(&mut tx, &access, annotator_id).await?;
    }
    tx.commit().await?;
    Ok(now)
}

async fn insert(
    connection: &mut PgConnection,
    project_id: i64,
    annotator_id: i64,
    pass_mark: f64,
    photos: &[i64],
) -> Result<()> {
    sqlx::query!(
        "WITH quiz AS (
             INSERT INTO quizzes (project_id, annotator_id, attempt, pass_mark)
             SELECT $1, $2, 1 + coalesce(max(attempt), 0), $3 FROM quizzes WHERE annotator_id = $2
             RETURNING id)
         INSERT INTO quiz_photos (quiz_id, position, photo_id)
         SELECT quiz.id, p.place - 1, p.photo_id
         FROM quiz, unnest($4::bigint[]) WITH ORDINALITY AS p(photo_id, place)",
        project_id,
        annotator_id,
        pass_mark,
        photos,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gold photos that the annotator has seen neither in a quiz nor otherwise, in an order of their own.
pub(super) async fn unseen(db: impl PgExecutor<'_>, annotator_id: i64, limit: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        "SELECT g.photo_id
         FROM (SELECT DISTINCT o.photo_id FROM gold_answers o
               JOIN attributes t ON t.id = o.attribute_id AND t.retired_at IS NULL
               WHERE o.project_id = (SELECT project_id FROM annotators WHERE id = $1) AND o.removed_at IS NULL) g
         WHERE NOT EXISTS (SELECT 1 FROM claims c
                           WHERE c.annotator_id = $1 AND c.photo_id = g.photo_id AND c.released_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM labels l
                           WHERE l.photo_id = g.photo_id AND l.annotator_id = $1 AND l.superseded_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM quiz_photos q JOIN quizzes z ON z.id = q.quiz_id
                           WHERE q.photo_id = g.photo_id AND z.annotator_id = $1)
         ORDER BY md5($1 || '?' || g.photo_id), g.photo_id
         LIMIT $2",
        annotator_id,
        limit,
    )
    .fetch_all(db)
    .await?)
}
