//! Answers of one photo become labels.

use std::collections::HashMap;

use kenami_domain::view::annotate::{AnswerInput, MyProgress, Submission};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{annotator, progress};
use crate::{
    actor::Actor,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    queue,
    rights::{self, Operation},
    slots,
};

/// The most characters of a note.
pub const MAX_NOTE: usize = 1_000;

/// Stores all answers of one photo and finishes it; earlier answers of the same annotator are superseded.
///
/// A repeated submission (same `idempotency_key`) changes nothing. A claim that has expired is accepted while its slot
/// is free; where somebody else has taken the slot, the labels are kept all the same and fill a slot more than needed.
/// Where all answers that a photo needs have been given and differ, it asks for one more, as far as the project allows.
///
/// # Errors
/// [`Error::Invalid`] for answers that do not fit the schema, naming the attribute; [`Error::NotFound`] if it is no
/// claim of the acting user; [`Error::Conflict`] if the key has served for another photo; rights; the database.
pub async fn submit(actor: &Actor, db: &Db, project: &str, submission: Submission) -> Result<MyProgress> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let checked = check(&catalog, &submission.answers)?;
    let mut tx = db.begin().await?;
    let annotator_id = annotator(&mut tx, &access).await?.ok_or(Error::NotFound("claim"))?;
    slots::lock_annotator(&mut *tx, annotator_id).await?;
    let claim = sqlx::query!(
        r#"SELECT c.photo_id, c.released_at IS NOT NULL AS "released!", p.extra_votes > 0 AS "extra_votes!"
           FROM claims c JOIN projects p ON p.id = c.project_id
           WHERE c.id = $1 AND c.project_id = $2 AND c.annotator_id = $3 FOR UPDATE OF c"#,
        submission.claim_id,
        access.project_id,
        annotator_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("claim"))?;
    let labels = NewLabels { project_id: access.project_id, photo_id: claim.photo_id, annotator_id };
    if !labels.known(&mut tx, submission.idempotency_key).await? {
        labels.insert(&mut tx, &checked, submission.idempotency_key).await?;
        // The claim itself, or, where it had been released, a later one of the same photo.
        let had = slots::finish(&mut *tx, claim.photo_id, annotator_id).await?;
        if !had || claim.extra_votes {
            slots::lock_tasks(&mut *tx, &[claim.photo_id]).await?;
        }
        if !had && claim.released {
            slots::retake_done(&mut tx, submission.claim_id, claim.photo_id).await?;
        }
        if claim.extra_votes {
            queue::settle(&mut *tx, &[claim.photo_id]).await?;
        }
    }
    tx.commit().await?;
    progress::of(db, access.project_id, Some(annotator_id)).await
}

/// An answer that fits the schema.
struct Checked<'a> {
    attribute_id: i64,
    answer: &'static str,
    value_id: Option<i64>,
    input: &'a AnswerInput,
}

fn check<'a>(catalog: &Catalog, answers: &'a [AnswerInput]) -> Result<Vec<Checked<'a>>> {
    let invalid = |message: String| Error::invalid("answers", message);
    for input in answers {
        if !catalog.annotated().any(|entry| entry.key() == input.attribute) {
            return Err(invalid(format!("there is no attribute `{}` to be answered", input.attribute)));
        }
    }
    let checked = catalog.annotated().map(|entry| {
        let mut given = answers.iter().filter(|input| input.attribute == entry.key());
        match (given.next(), given.next()) {
            (Some(input), None) => check_one(entry, input).map_err(invalid),
            (None, _) => Err(invalid(format!("`{}` has no answer yet", entry.key()))),
            (Some(_), Some(_)) => Err(invalid(format!("`{}` is answered twice", entry.key()))),
        }
    });
    checked.collect()
}

fn check_one<'a>(entry: &Entry, input: &'a AnswerInput) -> Result<Checked<'a>, String> {
    let (answer, value_id) = entry.offered(&input.answer)?;
    if input.note.chars().count() > MAX_NOTE {
        return Err(format!("the note of `{}` is longer than {MAX_NOTE} characters", entry.key()));
    }
    if input.duration_ms.is_some_and(i32::is_negative) {
        return Err(format!("the duration of `{}` is negative", entry.key()));
    }
    Ok(Checked { attribute_id: entry.id, answer, value_id, input })
}

/// Where new labels belong.
struct NewLabels {
    project_id: i64,
    photo_id: i64,
    annotator_id: i64,
}

impl NewLabels {
    /// Whether this submission has been stored before.
    async fn known(&self, connection: &mut PgConnection, key: Uuid) -> Result<bool> {
        let photo = sqlx::query_scalar!(
            "SELECT photo_id FROM labels WHERE annotator_id = $1 AND idempotency_key = $2 LIMIT 1",
            self.annotator_id,
            key,
        )
        .fetch_optional(connection)
        .await?;
        match photo {
            Some(photo) if photo != self.photo_id => {
                Err(Error::Conflict("this idempotency key has served for another photo: make a new one".to_owned()))
            }
            photo => Ok(photo.is_some()),
        }
    }

    async fn insert(&self, connection: &mut PgConnection, checked: &[Checked<'_>], key: Uuid) -> Result<()> {
        let versions = versions(connection, checked).await?;
        let attributes: Vec<i64> = checked.iter().map(|label| label.attribute_id).collect();
        let superseded = sqlx::query!(
            "UPDATE labels SET superseded_at = now()
             WHERE photo_id = $1 AND annotator_id = $2 AND attribute_id = ANY($3) AND superseded_at IS NULL
             RETURNING id, attribute_id",
            self.photo_id,
            self.annotator_id,
            &attributes,
        )
        .fetch_all(&mut *connection)
        .await?;
        let superseded: HashMap<i64, i64> = superseded.into_iter().map(|row| (row.attribute_id, row.id)).collect();
        let answers: Vec<String> = checked.iter().map(|label| label.answer.to_owned()).collect();
        let values: Vec<Option<i64>> = checked.iter().map(|label| label.value_id).collect();
        let notes: Vec<String> = checked.iter().map(|label| label.input.note.trim().to_owned()).collect();
        let durations: Vec<Option<i32>> = checked.iter().map(|label| label.input.duration_ms).collect();
        let replaced: Vec<Option<i64>> = attributes.iter().map(|id| superseded.get(id).copied()).collect();
        sqlx::query!(
            "INSERT INTO labels (project_id, photo_id, annotator_id, source, idempotency_key, attribute_id, answer,
                                 value_id, note, duration_ms, guideline_version_id, supersedes)
             SELECT $1, $2, $3, 'page', $4, *
             FROM unnest($5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::integer[], $10::bigint[], $11::bigint[])",
            self.project_id,
            self.photo_id,
            self.annotator_id,
            key,
            &attributes,
            &answers,
            &values as &[Option<i64>],
            &notes,
            &durations as &[Option<i32>],
            &versions as &[Option<i64>],
            &replaced as &[Option<i64>],
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Ids of the guideline versions that were shown, in the answers' order.
async fn versions(connection: &mut PgConnection, checked: &[Checked<'_>]) -> Result<Vec<Option<i64>>> {
    let attributes: Vec<i64> = checked.iter().map(|label| label.attribute_id).collect();
    let rows = sqlx::query!(
        r#"SELECT id, attribute_id, version AS "version!" FROM guideline_versions
           WHERE attribute_id = ANY($1) AND version IS NOT NULL"#,
        &attributes,
    )
    .fetch_all(connection)
    .await?;
    let ids: HashMap<(i64, i32), i64> = rows.into_iter().map(|row| ((row.attribute_id, row.version), row.id)).collect();
    let find = |label: &Checked<'_>| match label.input.guideline_version {
        None => Ok(None),
        Some(version) => ids.get(&(label.attribute_id, version)).copied().map(Some).ok_or_else(|| {
            Error::invalid("answers", format!("`{}` has no guideline version {version}", label.input.attribute))
        }),
    };
    checked.iter().map(find).collect()
}
