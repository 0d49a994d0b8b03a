//! A screen's answers become labels.

use std::collections::{HashMap, HashSet};

use kenami_domain::view::{
    annotate::MyProgress,
    grid::{GridAnswer, GridSubmission},
    suggestions::Suggestion,
};
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    annotate::{
        annotator, my_progress,
        write::{Done, NewLabel, ShownVersion, Target, finish, version_ids},
    },
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    slots,
    suggestions::shown::{self, Shown},
};

/// The most answers of one submission.
const MOST: usize = 100;
/// How long a photo stays with its annotator between the screens of its attributes.
const BETWEEN_SCREENS_SECONDS: i32 = 24 * 60 * 60;

/// The claim behind an answer.
struct Claim {
    id: i64,
    photo_id: i64,
    gold: bool,
    released: bool,
}

/// Stores a screen's answers, each as a label of its own that remembers the suggestion and that it was shown in the grid.
/// Photos whose attributes all have the annotator's answer now are done. A repeated answer (same `idempotency_key`) changes
/// nothing; an answer to a claim that has expired is kept.
///
/// # Errors
/// [`Error::Invalid`] for an answer that does not fit the attribute, for none, for more than 100, or for two of one photo;
/// [`Error::NotFound`] for an unknown attribute, source, or a claim that is not the acting user's; [`Error::Conflict`] if a
/// key has served for another photo; nothing is stored in any of these cases; rights; the database.
pub async fn submit(actor: &Actor, db: &Db, project: &str, submission: &GridSubmission) -> Result<MyProgress> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let entry = catalog.annotated().find(|entry| entry.key() == submission.attribute);
    let entry = entry.ok_or(Error::NotFound("attribute"))?;
    check(submission)?;
    let mut tx = db.begin().await?;
    let annotator_id = annotator(&mut tx, &access).await?.ok_or(Error::NotFound("claim"))?;
    slots::lock_annotator(&mut *tx, annotator_id).await?;
    let claims = claims(&mut tx, access.project_id, annotator_id, &submission.answers).await?;
    let suggestions = suggested(&mut tx, entry, submission.source_id, access.project_id, &claims).await?;
    let shown = [ShownVersion { entry, version: submission.guideline_version }];
    let version = version_ids(&mut tx, &shown).await?.pop().flatten();
    let share = submission.duration_ms.map(|ms| ms / submission.answers.len() as i32);
    for answer in &submission.answers {
        let claim = &claims[&answer.claim_id];
        let target = Target {
            project_id: access.project_id,
            photo_id: claim.photo_id,
            annotator_id,
            source: "grid",
            gold: claim.gold,
        };
        if target.known(&mut tx, answer.idempotency_key).await? {
            continue;
        }
        let (columns, value_id) =
            entry.offered(&answer.answer).map_err(|message| Error::invalid("answers", message))?;
        let label = NewLabel {
            attribute_id: entry.id,
            answer: columns,
            value_id,
            note: String::new(),
            duration_ms: share,
            guideline_version_id: version,
            suggestion: suggestions.get(&claim.photo_id).map(|s| shown::remembered(s, Shown::Grid)),
        };
        target.append(&mut tx, &[label], answer.idempotency_key).await?;
    }
    settle(&mut tx, &catalog, access.project_id, annotator_id, claims.values()).await?;
    tx.commit().await?;
    my_progress(actor, db, project).await
}

fn check(submission: &GridSubmission) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("answers", message));
    if submission.answers.is_empty() || submission.answers.len() > MOST {
        return invalid(format!("a screen has 1 to {MOST} answers, not {}", submission.answers.len()));
    }
    let distinct: HashSet<i64> = submission.answers.iter().map(|answer| answer.claim_id).collect();
    if distinct.len() < submission.answers.len() {
        return invalid("two answers are to the same claim".to_owned());
    }
    if submission.duration_ms.is_some_and(i32::is_negative) {
        return invalid("the duration is negative".to_owned());
    }
    Ok(())
}

/// The claims by id, locked in the order of ids.
async fn claims(
    connection: &mut PgConnection,
    project_id: i64,
    annotator_id: i64,
    answers: &[GridAnswer],
) -> Result<HashMap<i64, Claim>> {
    let ids: Vec<i64> = answers.iter().map(|answer| answer.claim_id).collect();
    let rows = sqlx::query_as!(
        Claim,
        r#"SELECT id, photo_id, gold, released_at IS NOT NULL AS "released!" FROM claims
           WHERE id = ANY($1) AND project_id = $2 AND annotator_id = $3 ORDER BY id FOR UPDATE"#,
        &ids,
        project_id,
        annotator_id,
    )
    .fetch_all(connection)
    .await?;
    if rows.len() < ids.len() {
        return Err(Error::NotFound("claim"));
    }
    Ok(rows.into_iter().map(|claim| (claim.id, claim)).collect())
}

/// What the source suggests for the photos; nothing where it has ended meanwhile.
async fn suggested(
    connection: &mut PgConnection,
    entry: &Entry,
    source_id: i64,
    project_id: i64,
    claims: &HashMap<i64, Claim>,
) -> Result<HashMap<i64, Suggestion>> {
    if shown::sources(&mut *connection, project_id, &[source_id]).await?.is_empty() {
        return Err(Error::NotFound("source of suggestions"));
    }
    let photos: Vec<i64> = claims.values().map(|claim| claim.photo_id).collect();
    let rows = sqlx::query!(
        "SELECT photo_id, value_id, probability FROM suggestions
         WHERE source_id = $1 AND attribute_id = $2 AND photo_id = ANY($3)",
        source_id,
        entry.id,
        &photos,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let value = entry
                .suggested_key(row.value_id)
                .ok_or_else(|| Error::internal("a suggestion of another attribute"))?;
            Ok((row.photo_id, Suggestion { source_id, value: value.to_owned(), probability: row.probability }))
        })
        .collect()
}

/// Finishes the photos whose attributes are all answered; the others wait for their next screen.
async fn settle(
    connection: &mut PgConnection,
    catalog: &Catalog,
    project_id: i64,
    annotator_id: i64,
    claims: impl Iterator<Item = &Claim> + Clone,
) -> Result<()> {
    let extra_votes =
        sqlx::query_scalar!(r#"SELECT extra_votes > 0 AS "extra!" FROM projects WHERE id = $1"#, project_id)
            .fetch_one(&mut *connection)
            .await?;
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let photos: Vec<i64> = claims.clone().map(|claim| claim.photo_id).collect();
    let complete = sqlx::query_scalar!(
        "SELECT l.photo_id FROM labels l
         WHERE l.photo_id = ANY($1) AND l.annotator_id = $2 AND l.attribute_id = ANY($3) AND l.superseded_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM label_doubts d WHERE d.label_id = l.id)
         GROUP BY l.photo_id HAVING count(*) = cardinality($3::bigint[])",
        &photos,
        annotator_id,
        &attributes,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut kept = Vec::new();
    let mut ordered: Vec<&Claim> = claims.collect();
    // Locks are taken in the order of photos.
    ordered.sort_by_key(|claim| claim.photo_id);
    for claim in ordered {
        if complete.contains(&claim.photo_id) {
            let done = Done { claim_id: claim.id, photo_id: claim.photo_id, released: claim.released };
            finish(connection, annotator_id, done, extra_votes).await?;
        } else {
            kept.push(claim.id);
        }
    }
    slots::extend(connection, &kept, BETWEEN_SCREENS_SECONDS).await
}
