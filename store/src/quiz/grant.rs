//! What a lead may allow somebody who has failed.

use serde_json::json;

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// Lets an annotator in without a passed quiz, or (not `pass`) lets them take one more.
///
/// # Errors
/// [`Error::NotFound`] for an unknown annotator; rights; the database.
pub async fn grant(actor: &Actor, db: &Db, project: &str, annotator_id: i64, pass: bool) -> Result<()> {
    let access = rights::require(actor, db, Operation::OverseeAnnotators, project).await?;
    let mut tx = db.begin().await?;
    let granted = sqlx::query!(
        "UPDATE annotators a SET
             quiz_excused_at = CASE WHEN $3 THEN now() ELSE a.quiz_excused_at END,
             quiz_retries = CASE WHEN $3 THEN a.quiz_retries
                                 ELSE greatest(a.quiz_retries, (SELECT count(*) FROM quizzes q
                                                                WHERE q.annotator_id = a.id AND q.finished_at IS NOT NULL))
                            END::smallint
         WHERE a.id = $1 AND a.project_id = $2",
        annotator_id,
        access.project_id,
        pass,
    )
    .execute(&mut *tx)
    .await?;
    if granted.rows_affected() == 0 {
        return Err(Error::NotFound("annotator"));
    }
    let details = json!({ "annotator": annotator_id, "quiz_passes": pass });
    audit::record(&mut tx, &access, Operation::OverseeAnnotators, details).await?;
    Ok(tx.commit().await?)
}
