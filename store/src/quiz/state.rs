//! Where an annotator stands with the quiz.

use kenami_domain::view::{
    annotate::Stopped,
    quiz::{QuizQuestion, QuizResult, QuizState},
};
use sqlx::{PgConnection, PgExecutor};

use super::{begin::unseen, gate};
use crate::{
    actor::Actor,
    annotate::ensure_annotator,
    cards::Cards,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Access, Operation},
};

/// Where the acting user stands with the quiz: whether it is due, the next photo of an open one, the results so far.
///
/// # Errors
/// Rights; the database.
pub async fn state(actor: &Actor, db: &Db, project: &str) -> Result<QuizState> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut tx = db.begin().await?;
    let annotator_id = ensure_annotator(&mut tx, &access).await?;
    let state = of(&mut tx, &access, annotator_id).await?;
    tx.commit().await?;
    Ok(state)
}

/// [`state`] of an annotator.
pub(super) async fn of(connection: &mut PgConnection, access: &Access, annotator_id: i64) -> Result<QuizState> {
    let due = gate::stopped(connection, access, annotator_id).await? == Some(Stopped::Quiz);
    let row = sqlx::query!(
        "SELECT p.quiz_length, p.quiz_pass_mark, p.quiz_repeats, a.quiz_retries
         FROM annotators a JOIN projects p ON p.id = a.project_id WHERE a.id = $1",
        annotator_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    let results = results(&mut *connection, annotator_id).await?;
    let question = if due { question(connection, access.project_id, annotator_id).await? } else { None };
    let may_repeat = row.quiz_repeats || results.len() as i64 <= i64::from(row.quiz_retries);
    let length = i64::from(row.quiz_length);
    let can_begin = due
        && question.is_none()
        && may_repeat
        && unseen(connection, annotator_id, length).await?.len() as i64 == length;
    Ok(QuizState { length: row.quiz_length, pass_mark: row.quiz_pass_mark, due, can_begin, question, results })
}

/// Finished quizzes of an annotator, the first one first.
pub(crate) async fn results(db: impl PgExecutor<'_>, annotator_id: i64) -> Result<Vec<QuizResult>> {
    Ok(sqlx::query_as!(
        QuizResult,
        r#"SELECT q.attempt, q.score AS "score!", q.passed AS "passed!", q.finished_at AS "finished_at!",
                  (SELECT count(*) FROM quiz_answers a WHERE a.quiz_id = q.id) AS "answers!",
                  (SELECT count(*) FROM quiz_answers a WHERE a.quiz_id = q.id AND a.correct) AS "right!"
           FROM quizzes q WHERE q.annotator_id = $1 AND q.finished_at IS NOT NULL ORDER BY q.attempt"#,
        annotator_id,
    )
    .fetch_all(db)
    .await?)
}

/// The first photo of the open quiz without an answer. A photo that is gold no longer is not asked.
pub(super) async fn question(
    connection: &mut PgConnection,
    project_id: i64,
    annotator_id: i64,
) -> Result<Option<QuizQuestion>> {
    let next = sqlx::query!(
        r#"SELECT q.id, p.photo_id, p.position, (SELECT count(*) FROM quiz_photos a WHERE a.quiz_id = q.id) AS "of!"
           FROM quizzes q JOIN quiz_photos p ON p.quiz_id = q.id
           WHERE q.annotator_id = $1 AND q.finished_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM quiz_answers a WHERE a.quiz_id = q.id AND a.photo_id = p.photo_id)
             AND EXISTS (SELECT 1 FROM gold_answers g WHERE g.photo_id = p.photo_id AND g.removed_at IS NULL)
           ORDER BY q.id, p.position LIMIT 1"#,
        annotator_id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(next) = next else { return Ok(None) };
    let catalog = Catalog::load(&mut *connection, project_id).await?;
    let gold = asked(&mut *connection, next.photo_id).await?;
    let asked = catalog.annotated().filter(|entry| gold.contains(&entry.id));
    Ok(Some(QuizQuestion {
        quiz_id: next.id,
        number: i64::from(next.position) + 1,
        of: next.of,
        photo: Cards::load(&mut *connection, &[next.photo_id]).await?.get(next.photo_id)?,
        attributes: asked.map(|entry| entry.key().to_owned()).collect(),
    }))
}

/// Attributes of a photo that are gold.
async fn asked(db: impl PgExecutor<'_>, photo_id: i64) -> Result<Vec<i64>> {
    sqlx::query_scalar!("SELECT attribute_id FROM gold_answers WHERE photo_id = $1 AND removed_at IS NULL", photo_id)
        .fetch_all(db)
        .await
        .map_err(Error::from)
}
