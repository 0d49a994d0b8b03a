//! Reviewers' decisions.

use kenami_domain::view::review::{Cause, Decision, DecisionInput};
use serde_json::json;
use sqlx::PgConnection;

use super::{labelled_photo, load};
use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    gold, queue,
    rights::{self, Access, Operation},
    slots,
};

/// The most characters of a reason.
pub const MAX_REASON: usize = 1_000;
/// The most decisions at once.
pub const MOST_AT_ONCE: usize = 500;

/// Decides what holds for one photo and attribute; an earlier decision is superseded, and a gold answer that said something
/// else ends. An exact duplicate stands for its
/// original.
///
/// # Errors
/// [`Error::Invalid`] for an answer that is not offered or a long reason; [`Error::NotFound`] for an unknown photo or
/// attribute; rights; the database.
pub async fn decide(actor: &Actor, db: &Db, project: &str, input: DecisionInput) -> Result<Decision> {
    let access = rights::require(actor, db, Operation::Decide, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let (photo_id, attribute_id) = one(&mut tx, &access, &catalog, &input).await?;
    let decided = load::disagreements(&mut tx, &catalog, &[(photo_id, attribute_id)], false).await?;
    let decision = decided.into_iter().next().and_then(|decided| decided.decision);
    let decision = decision.ok_or(Error::NotFound("decision"))?;
    tx.commit().await?;
    Ok(decision)
}

/// Decides several at once, all or none; how many.
///
/// # Errors
/// [`Error::Invalid`] for none, for more than [`MOST_AT_ONCE`], and as [`decide`] for each of them.
pub async fn decide_many(actor: &Actor, db: &Db, project: &str, inputs: &[DecisionInput]) -> Result<usize> {
    let access = rights::require(actor, db, Operation::Decide, project).await?;
    if inputs.is_empty() || inputs.len() > MOST_AT_ONCE {
        return Err(Error::invalid("decisions", format!("must be 1 to {MOST_AT_ONCE}")));
    }
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    // In the order of photos, so that two who decide at once wait for each other and no more.
    let mut ordered: Vec<&DecisionInput> = inputs.iter().collect();
    ordered.sort_by_key(|input| input.photo_id);
    for input in ordered {
        one(&mut tx, &access, &catalog, input).await?;
    }
    tx.commit().await?;
    Ok(inputs.len())
}

/// Makes one decision with all that follows from it; the photo and the attribute that it is about.
async fn one(tx: &mut PgConnection, access: &Access, catalog: &Catalog, input: &DecisionInput) -> Result<(i64, i64)> {
    if input.reason.chars().count() > MAX_REASON {
        return Err(Error::invalid("reason", format!("longer than {MAX_REASON} characters")));
    }
    let entry = catalog.annotated_by_key(&input.attribute)?;
    let (answer, value_id) = entry.offered(&input.answer).map_err(|message| Error::invalid("answer", message))?;
    let photo_id = labelled_photo(&mut *tx, access.project_id, input.photo_id).await?;
    let decision =
        NewDecision { photo_id, attribute_id: entry.id, answer, value_id, cause: input.cause, reason: &input.reason };
    append(tx, access, &decision).await?;
    gold::follow_decision(tx, photo_id, entry.id, access.user_id).await?;
    settle(tx, photo_id).await?;
    let details = json!({
        "photo": photo_id, "attribute": input.attribute, "answer": input.answer, "cause": input.cause,
    });
    audit::record(tx, access, Operation::Decide, details).await?;
    Ok((photo_id, entry.id))
}

/// Takes the decision that stands back: the votes are open again.
///
/// # Errors
/// [`Error::NotFound`] for an unknown photo or attribute, or where nothing has been decided; rights; the database.
pub async fn reopen(actor: &Actor, db: &Db, project: &str, photo_id: i64, attribute: &str) -> Result<()> {
    let access = rights::require(actor, db, Operation::Decide, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let photo_id = labelled_photo(&mut *tx, access.project_id, photo_id).await?;
    supersede(&mut tx, photo_id, entry.id).await?.ok_or(Error::NotFound("decision"))?;
    gold::follow_decision(&mut tx, photo_id, entry.id, access.user_id).await?;
    settle(&mut tx, photo_id).await?;
    let details = json!({ "photo": photo_id, "attribute": attribute, "reopened": true });
    audit::record(&mut tx, &access, Operation::Decide, details).await?;
    Ok(tx.commit().await?)
}

/// A decision in the database's terms.
pub(crate) struct NewDecision<'a> {
    pub(crate) photo_id: i64,
    pub(crate) attribute_id: i64,
    /// The columns `answer` and `value_id`.
    pub(crate) answer: &'static str,
    pub(crate) value_id: Option<i64>,
    pub(crate) cause: Cause,
    pub(crate) reason: &'a str,
}

/// Appends a decision under the guideline in force; the one that stands is superseded.
pub(crate) async fn append(connection: &mut PgConnection, access: &Access, decision: &NewDecision<'_>) -> Result<()> {
    let superseded = supersede(connection, decision.photo_id, decision.attribute_id).await?;
    sqlx::query!(
        "INSERT INTO adjudications (project_id, photo_id, attribute_id, reviewer_id, answer, value_id, cause, reason,
                                    guideline_version_id, supersedes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
                 (SELECT id FROM guideline_versions WHERE attribute_id = $3 AND version IS NOT NULL
                  ORDER BY version DESC LIMIT 1), $9)",
        access.project_id,
        decision.photo_id,
        decision.attribute_id,
        access.user_id,
        decision.answer,
        decision.value_id,
        decision.cause.as_str(),
        decision.reason.trim(),
        superseded,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the decision that stands and returns its id. Locks the photo, so that of two reviewers one comes first.
async fn supersede(connection: &mut PgConnection, photo_id: i64, attribute_id: i64) -> Result<Option<i64>> {
    sqlx::query!("SELECT id FROM photos WHERE id = $1 FOR NO KEY UPDATE", photo_id).fetch_one(&mut *connection).await?;
    Ok(sqlx::query_scalar!(
        "UPDATE adjudications SET superseded_at = now()
         WHERE photo_id = $1 AND attribute_id = $2 AND superseded_at IS NULL
         RETURNING id",
        photo_id,
        attribute_id,
    )
    .fetch_optional(connection)
    .await?)
}

/// What has been decided asks for no more votes, what is open again may.
async fn settle(connection: &mut PgConnection, photo_id: i64) -> Result<()> {
    slots::lock_tasks(&mut *connection, &[photo_id]).await?;
    queue::settle(connection, &[photo_id]).await
}
