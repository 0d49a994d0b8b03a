//! Answering a quiz.

use kenami_domain::view::quiz::{QuizFeedback, QuizMark, QuizSubmission};
use sqlx::PgConnection;

use super::state;
use crate::{
    actor::Actor,
    annotate::annotator,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    slots,
};

/// Answers the next photo of the acting user's quiz, and says what is right. After the last photo the quiz has its score.
/// Answers to a photo that has some change nothing; what was said of them is said again.
///
/// # Errors
/// [`Error::NotFound`] if it is no quiz of theirs or the photo is none of it; [`Error::Conflict`] if it is not the photo's
/// turn; [`Error::Invalid`] of `answers` that do not fit what is asked; rights; the database.
pub async fn answer(actor: &Actor, db: &Db, project: &str, submission: &QuizSubmission) -> Result<QuizFeedback> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let annotator_id = annotator(&mut tx, &access).await?.ok_or(Error::NotFound("quiz"))?;
    slots::lock_annotator(&mut *tx, annotator_id).await?;
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM quiz_answers a WHERE a.quiz_id = q.id AND a.photo_id = p.photo_id) AS "answered!"
           FROM quizzes q JOIN quiz_photos p ON p.quiz_id = q.id
           WHERE q.id = $1 AND q.annotator_id = $2 AND p.photo_id = $3"#,
        submission.quiz_id,
        annotator_id,
        submission.photo_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if !known.ok_or(Error::NotFound("quiz"))? {
        let question = state::question(&mut tx, access.project_id, annotator_id).await?;
        let question = question.filter(|q| (q.quiz_id, q.photo.id) == (submission.quiz_id, submission.photo_id));
        let question = question
            .ok_or_else(|| Error::Conflict("another photo of the quiz comes first: load it again".to_owned()))?;
        store(&mut tx, &catalog, submission, &question.attributes).await?;
        if state::question(&mut tx, access.project_id, annotator_id).await?.is_none() {
            finish_open(&mut tx, annotator_id).await?;
        }
    }
    let marks = marks(&mut tx, &catalog, submission).await?;
    let state = state::of(&mut tx, &access, annotator_id).await?;
    tx.commit().await?;
    Ok(QuizFeedback { marks, state })
}

/// Stores one answer for each of the attributes that are `asked`.
async fn store(
    connection: &mut PgConnection,
    catalog: &Catalog,
    submission: &QuizSubmission,
    asked: &[String],
) -> Result<()> {
    let invalid = |message: String| Error::invalid("answers", message);
    if submission.answers.len() != asked.len() {
        return Err(invalid(format!("one answer is needed for each of {}", asked.join(", "))));
    }
    for key in asked {
        let given = submission.answers.iter().find(|given| given.attribute == *key);
        let given = given.ok_or_else(|| invalid(format!("`{key}` has no answer yet")))?;
        if given.duration_ms.is_some_and(i32::is_negative) {
            return Err(invalid(format!("the duration of `{key}` is negative")));
        }
        let entry = catalog.annotated_by_key(key)?;
        let (answer, value_id) = entry.offered(&given.answer).map_err(invalid)?;
        sqlx::query!(
            "INSERT INTO quiz_answers (quiz_id, photo_id, attribute_id, gold_answer_id, answer, value_id, correct, duration_ms)
             SELECT $1, g.photo_id, g.attribute_id, g.id, $4, $5,
                    g.answer = $4 AND g.value_id IS NOT DISTINCT FROM $5, $6
             FROM gold_answers g WHERE g.photo_id = $2 AND g.attribute_id = $3 AND g.removed_at IS NULL",
            submission.quiz_id,
            submission.photo_id,
            entry.id,
            answer,
            value_id,
            given.duration_ms,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Gives the annotator's open quiz its score, if there is one; a quiz without an answer does not pass.
pub(super) async fn finish_open(connection: &mut PgConnection, annotator_id: i64) -> Result<bool> {
    let finished = sqlx::query!(
        "UPDATE quizzes q SET finished_at = now(), score = s.score, passed = s.answers > 0 AND s.score >= q.pass_mark - 1e-9
         FROM (SELECT z.id, count(a.quiz_id) AS answers, coalesce(avg(a.correct::integer), 0)::double precision AS score
               FROM quizzes z LEFT JOIN quiz_answers a ON a.quiz_id = z.id
               WHERE z.annotator_id = $1 AND z.finished_at IS NULL GROUP BY z.id) s
         WHERE q.id = s.id",
        annotator_id,
    )
    .execute(connection)
    .await?;
    Ok(finished.rows_affected() > 0)
}

/// What is right, by what was gold when the photo was answered.
async fn marks(connection: &mut PgConnection, catalog: &Catalog, submission: &QuizSubmission) -> Result<Vec<QuizMark>> {
    let rows = sqlx::query!(
        "SELECT a.attribute_id, a.answer, a.value_id, a.correct, g.answer AS right_answer, g.value_id AS right_value_id,
                g.explanation
         FROM quiz_answers a JOIN gold_answers g ON g.id = a.gold_answer_id
         JOIN attributes t ON t.id = a.attribute_id
         WHERE a.quiz_id = $1 AND a.photo_id = $2 ORDER BY t.position, t.id",
        submission.quiz_id,
        submission.photo_id,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let entry = catalog.by_id(row.attribute_id)?;
            Ok(QuizMark {
                attribute: entry.key().to_owned(),
                given: entry.answer(&row.answer, row.value_id)?,
                right: entry.answer(&row.right_answer, row.right_value_id)?,
                correct: row.correct,
                explanation: row.explanation,
            })
        })
        .collect()
}
