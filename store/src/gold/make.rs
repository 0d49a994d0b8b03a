//! Making photos gold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kenami_domain::{
    gold,
    view::{
        gold::{GoldImport, GoldRow},
        review::Cause,
    },
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    queue,
    review::{NewDecision, append, labelled_photo},
    rights::{self, Access, Operation},
    slots,
};

/// The most characters of an explanation.
pub const MAX_EXPLANATION: usize = 1_000;
/// The most photos that [`make_many`] makes gold.
pub const MOST_AT_ONCE: usize = 1_000;

/// Makes the decision that stands about one attribute of a photo gold; the decision's reason explains it. An exact duplicate
/// stands for its original.
///
/// # Errors
/// [`Error::NotFound`] for an unknown photo or attribute, or where nothing is decided; [`Error::Invalid`] where the decision
/// is "unsure"; rights; the database.
pub async fn make(actor: &Actor, db: &Db, project: &str, photo_id: i64, attribute: &str) -> Result<()> {
    let access = rights::require(actor, db, Operation::ManageGold, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let photo_id = labelled_photo(&mut *tx, access.project_id, photo_id).await?;
    let answer = sqlx::query_scalar!(
        "SELECT answer FROM adjudications WHERE photo_id = $1 AND attribute_id = $2 AND superseded_at IS NULL",
        photo_id,
        entry.id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("decision"))?;
    if answer == "unsure" {
        return Err(Error::invalid("answer", "a decision that leaves it open cannot be gold"));
    }
    from_decisions(&mut tx, &access, &[photo_id], Some(entry.id)).await?;
    Ok(tx.commit().await?)
}

/// Makes `photos` photos (1 to 1,000) with decisions gold, chosen by chance among those that are not; how many it found.
///
/// # Errors
/// [`Error::Invalid`] of `photos`; rights; the database.
pub async fn make_many(actor: &Actor, db: &Db, project: &str, photos: usize) -> Result<u64> {
    let access = rights::require(actor, db, Operation::ManageGold, project).await?;
    if !(1..=MOST_AT_ONCE).contains(&photos) {
        return Err(Error::invalid("photos", format!("must be 1 to {MOST_AT_ONCE}")));
    }
    let mut tx = db.begin().await?;
    let chosen = sqlx::query_scalar!(
        "SELECT photo_id FROM (
             SELECT DISTINCT d.photo_id FROM adjudications d
             JOIN attributes a ON a.id = d.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
             WHERE d.project_id = $1 AND d.superseded_at IS NULL AND d.answer <> 'unsure'
               AND NOT EXISTS (SELECT 1 FROM gold_answers g WHERE g.photo_id = d.photo_id AND g.attribute_id = d.attribute_id
                                                              AND g.removed_at IS NULL)) p
         ORDER BY random() LIMIT $2",
        access.project_id,
        i64::try_from(photos).map_err(Error::internal)?,
    )
    .fetch_all(&mut *tx)
    .await?;
    from_decisions(&mut tx, &access, &chosen, None).await?;
    tx.commit().await?;
    Ok(chosen.len() as u64)
}

/// Makes the standing decisions about photos gold, those of one attribute or all.
async fn from_decisions(
    connection: &mut PgConnection,
    access: &Access,
    photo_ids: &[i64],
    attribute_id: Option<i64>,
) -> Result<()> {
    lock_photos(connection, photo_ids).await?;
    let made = sqlx::query!(
        "INSERT INTO gold_answers (project_id, photo_id, attribute_id, answer, value_id, explanation, created_by)
         SELECT d.project_id, d.photo_id, d.attribute_id, d.answer, d.value_id, d.reason, $3
         FROM adjudications d JOIN attributes a ON a.id = d.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
         WHERE d.photo_id = ANY($1) AND ($2::bigint IS NULL OR d.attribute_id = $2)
           AND d.superseded_at IS NULL AND d.answer <> 'unsure'
         ON CONFLICT (photo_id, attribute_id) WHERE removed_at IS NULL DO NOTHING",
        photo_ids,
        attribute_id,
        access.user_id,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    settle(connection, photo_ids).await?;
    let details = json!({ "gold_photos": photo_ids.len(), "answers": made });
    audit::record(connection, access, Operation::ManageGold, details).await
}

/// Makes answers gold. Each also decides: it supersedes a decision that says something else. Rows that do not fit are
/// reported by line and the rest goes in; the same rows again change nothing. Exact duplicates are one photo.
///
/// # Errors
/// Rights; the database.
pub async fn put(actor: &Actor, db: &Db, project: &str, rows: &[GoldRow]) -> Result<GoldImport> {
    let access = rights::require(actor, db, Operation::ManageGold, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let names: BTreeSet<&str> = rows.iter().map(|row| row.image.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let photos = crate::labels::names::photos(&mut tx, access.project_id, &names).await?;
    let mut report = GoldImport::default();
    // By photo, so that locks are taken in the order of ids; the last row of a pair counts.
    let mut wanted = BTreeMap::new();
    for row in rows {
        match check(&catalog, &photos, row) {
            Ok(right) => drop(wanted.insert((right.photo_id, right.attribute_id), right)),
            Err(reason) => report.problems.push((row.line, reason)),
        }
    }
    let ids: BTreeSet<i64> = wanted.keys().map(|(photo, _)| *photo).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    lock_photos(&mut tx, &ids).await?;
    for right in wanted.values() {
        decide(&mut tx, &access, right).await?;
        match set(&mut tx, &access, right).await? {
            true => report.made += 1,
            false => report.unchanged += 1,
        }
    }
    settle(&mut tx, &ids).await?;
    let details = json!({ "gold_answers": report.made, "unchanged": report.unchanged });
    audit::record(&mut tx, &access, Operation::ManageGold, details).await?;
    tx.commit().await?;
    Ok(report)
}

/// A row in the database's terms.
struct RightAnswer<'a> {
    photo_id: i64,
    attribute_id: i64,
    answer: &'static str,
    value_id: Option<i64>,
    explanation: &'a str,
}

fn check<'a>(catalog: &Catalog, photos: &HashMap<String, i64>, row: &'a GoldRow) -> Result<RightAnswer<'a>, String> {
    let photo_id = *photos.get(&row.image).ok_or_else(|| format!("there is no photo `{}`", row.image))?;
    let entry = catalog.annotated().find(|entry| entry.key() == row.attribute);
    let entry = entry.ok_or_else(|| format!("there is no attribute `{}` to be answered", row.attribute))?;
    if !gold::can_be_right(&row.answer) {
        return Err("unsure is no right answer: give a value or not_visible".to_owned());
    }
    let (answer, value_id) = entry.offered(&row.answer)?;
    let explanation = row.explanation.trim();
    if explanation.chars().count() > MAX_EXPLANATION {
        return Err(format!("the explanation is longer than {MAX_EXPLANATION} characters"));
    }
    Ok(RightAnswer { photo_id, attribute_id: entry.id, answer, value_id, explanation })
}

/// Decides what a gold answer says, unless that stands.
async fn decide(connection: &mut PgConnection, access: &Access, right: &RightAnswer<'_>) -> Result<()> {
    let stands = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM adjudications
                          WHERE photo_id = $1 AND attribute_id = $2 AND superseded_at IS NULL
                            AND answer = $3 AND value_id IS NOT DISTINCT FROM $4) AS "stands!""#,
        right.photo_id,
        right.attribute_id,
        right.answer,
        right.value_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    if stands {
        return Ok(());
    }
    let decision = NewDecision {
        photo_id: right.photo_id,
        attribute_id: right.attribute_id,
        answer: right.answer,
        value_id: right.value_id,
        cause: Cause::Other,
        reason: right.explanation,
    };
    append(connection, access, &decision).await
}

/// Makes an answer gold, in place of another; false if it is gold already.
async fn set(connection: &mut PgConnection, access: &Access, right: &RightAnswer<'_>) -> Result<bool> {
    sqlx::query!(
        "UPDATE gold_answers SET removed_at = now(), removed_by = $6
         WHERE photo_id = $1 AND attribute_id = $2 AND removed_at IS NULL
           AND (answer <> $3 OR value_id IS DISTINCT FROM $4 OR explanation <> $5)",
        right.photo_id,
        right.attribute_id,
        right.answer,
        right.value_id,
        right.explanation,
        access.user_id,
    )
    .execute(&mut *connection)
    .await?;
    let made = sqlx::query!(
        "INSERT INTO gold_answers (project_id, photo_id, attribute_id, answer, value_id, explanation, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (photo_id, attribute_id) WHERE removed_at IS NULL DO NOTHING",
        access.project_id,
        right.photo_id,
        right.attribute_id,
        right.answer,
        right.value_id,
        right.explanation,
        access.user_id,
    )
    .execute(connection)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// As decisions do, so that of two who decide one comes first.
async fn lock_photos(connection: &mut PgConnection, photo_ids: &[i64]) -> Result<()> {
    sqlx::query!("SELECT id FROM photos WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", photo_ids)
        .fetch_all(connection)
        .await?;
    Ok(())
}

/// What is decided asks for no more votes.
async fn settle(connection: &mut PgConnection, photo_ids: &[i64]) -> Result<()> {
    slots::lock_tasks(&mut *connection, photo_ids).await?;
    queue::settle(connection, photo_ids).await
}
