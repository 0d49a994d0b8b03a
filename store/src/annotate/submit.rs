//! Answers of one photo become labels.

use kenami_domain::view::annotate::{AnswerInput, MyProgress, Submission};
use sqlx::PgConnection;

use super::{
    annotator, progress,
    write::{Done, NewLabel, ShownVersion, Target, finish, version_ids},
};
use crate::{
    actor::Actor,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    slots,
    suggestions::shown::{self, Shown},
};

/// The most characters of a note.
pub const MAX_NOTE: usize = 1_000;

/// Stores all answers of one photo and finishes it; earlier answers of the same annotator are superseded.
///
/// A repeated submission (same `idempotency_key`) changes nothing. A claim that has expired is accepted while its slot
/// is free; where somebody else has taken the slot, the labels are kept all the same and fill a slot more than needed.
/// Where all answers that a photo needs have been given and differ, it asks for one more, as far as the project allows.
/// Labels of a photo that was given as gold are marked as such.
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
        r#"SELECT c.photo_id, c.gold, c.released_at IS NOT NULL AS "released!", p.extra_votes > 0 AS "extra_votes!"
           FROM claims c JOIN projects p ON p.id = c.project_id
           WHERE c.id = $1 AND c.project_id = $2 AND c.annotator_id = $3 FOR UPDATE OF c"#,
        submission.claim_id,
        access.project_id,
        annotator_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("claim"))?;
    let target = Target {
        project_id: access.project_id,
        photo_id: claim.photo_id,
        annotator_id,
        source: "page",
        gold: claim.gold,
    };
    if !target.known(&mut tx, submission.idempotency_key).await? {
        let labels = new_labels(&mut tx, &target, &catalog, &checked).await?;
        target.append(&mut tx, &labels, submission.idempotency_key).await?;
        let done = Done { claim_id: submission.claim_id, photo_id: claim.photo_id, released: claim.released };
        finish(&mut tx, annotator_id, done, claim.extra_votes).await?;
    }
    tx.commit().await?;
    progress::of(db, access.project_id, Some(annotator_id)).await
}

/// An answer that fits the schema.
struct Checked<'a> {
    entry: &'a Entry,
    answer: &'static str,
    value_id: Option<i64>,
    input: &'a AnswerInput,
}

fn check<'a>(catalog: &'a Catalog, answers: &'a [AnswerInput]) -> Result<Vec<Checked<'a>>> {
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

fn check_one<'a>(entry: &'a Entry, input: &'a AnswerInput) -> Result<Checked<'a>, String> {
    let (answer, value_id) = entry.offered(&input.answer)?;
    if input.note.chars().count() > MAX_NOTE {
        return Err(format!("the note of `{}` is longer than {MAX_NOTE} characters", entry.key()));
    }
    if input.duration_ms.is_some_and(i32::is_negative) {
        return Err(format!("the duration of `{}` is negative", entry.key()));
    }
    Ok(Checked { entry, answer, value_id, input })
}

/// The labels with what is known of each: the guideline's version, and what was suggested.
async fn new_labels(
    connection: &mut PgConnection,
    target: &Target,
    catalog: &Catalog,
    checked: &[Checked<'_>],
) -> Result<Vec<NewLabel>> {
    let there = shown::there(&mut *connection, target.project_id, target.photo_id, catalog).await?;
    let named: Vec<i64> = checked.iter().filter_map(|label| Some(label.input.suggestion.as_ref()?.source_id)).collect();
    let sources = shown::sources(&mut *connection, target.project_id, &named).await?;
    let versions: Vec<ShownVersion> = checked
        .iter()
        .map(|label| ShownVersion { entry: label.entry, version: label.input.guideline_version })
        .collect();
    let versions = version_ids(connection, &versions).await?;
    let mut labels = Vec::with_capacity(checked.len());
    for (Checked { entry, answer, value_id, input }, guideline_version_id) in checked.iter().zip(versions) {
        let suggestion = match &input.suggestion {
            Some(suggestion) => {
                shown::check(entry, suggestion, &sources).map_err(|message| Error::invalid("answers", message))?;
                Some(shown::remembered(suggestion, Shown::Page))
            }
            None => there.get(&entry.id).map(|suggestion| shown::remembered(suggestion, Shown::Unseen)),
        };
        labels.push(NewLabel {
            attribute_id: entry.id,
            answer,
            value_id: *value_id,
            note: input.note.trim().to_owned(),
            duration_ms: input.duration_ms,
            guideline_version_id,
            suggestion,
        });
    }
    Ok(labels)
}
