//! Claiming photos and giving them back.

use kenami_domain::view::annotate::{Claimed, ClaimedPhoto};
use sqlx::PgConnection;

use super::{annotator, ensure_annotator, load, progress};
use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    slots,
};

/// The most photos that one annotator's page holds at once.
const MOST: usize = 20;

/// Gives the acting user `want` photos (1 to 20, else the nearest) to answer.
///
/// First come those that they hold already: `have`, the claims that the page shows, in that order; then photos that
/// came back to them; then the others. Their time starts anew. The rest is taken from the queue, most urgent first; no
/// slot is given twice, no photo twice to the same annotator.
///
/// # Errors
/// Rights; the database.
pub async fn claim(actor: &Actor, db: &Db, project: &str, want: usize, have: &[i64]) -> Result<Claimed> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let want = want.clamp(1, MOST);
    let mut tx = db.begin().await?;
    let annotator_id = ensure_annotator(&mut tx, &access).await?;
    slots::sweep(&mut tx, access.project_id, annotator_id).await?;
    tx.commit().await?;

    let mut tx = db.begin().await?;
    slots::lock_annotator(&mut *tx, annotator_id).await?;
    let lease = sqlx::query_scalar!("SELECT lease_seconds FROM projects WHERE id = $1", access.project_id)
        .fetch_one(&mut *tx)
        .await?;
    let mut claims = hold(&mut tx, access.project_id, annotator_id, want, have, lease).await?;
    if claims.len() < want {
        let more = i64::try_from(want - claims.len()).map_err(Error::internal)?;
        let photos = slots::lock_open(&mut *tx, access.project_id, annotator_id, more).await?;
        if !photos.is_empty() {
            let me = vec![annotator_id; photos.len()];
            claims.extend(slots::take(&mut tx, access.project_id, &photos, &me, lease, false).await?);
        }
    }
    tx.commit().await?;

    // One connection at a time: a request that waits for a second one while it holds the first can starve the pool.
    let mut connection = db.acquire().await?;
    let photos = load::claimed_photos(&mut connection, access.project_id, &claims).await?;
    let held_by_others = progress::held_by_others(&mut *connection, access.project_id, annotator_id).await?;
    drop(connection);
    let progress = progress::of(db, access.project_id, Some(annotator_id)).await?;
    Ok(Claimed { photos, progress, held_by_others })
}

/// Up to `want` claims that the annotator holds, in the order in which they are to be shown; their time starts anew.
async fn hold(
    connection: &mut PgConnection,
    project_id: i64,
    annotator_id: i64,
    want: usize,
    have: &[i64],
    lease_seconds: i32,
) -> Result<Vec<i64>> {
    let held = sqlx::query_scalar!(
        "SELECT id FROM claims
         WHERE project_id = $1 AND annotator_id = $2 AND released_at IS NULL AND done_at IS NULL
         ORDER BY array_position($3::bigint[], id), returned_at, id
         LIMIT $4",
        project_id,
        annotator_id,
        have,
        i64::try_from(want).map_err(Error::internal)?,
    )
    .fetch_all(&mut *connection)
    .await?;
    // A claim may have been swept since; it has gone then, and only what is still held is returned.
    let still = sqlx::query_scalar!(
        "UPDATE claims SET expires_at = greatest(expires_at, now() + make_interval(secs => $2))
         WHERE id = ANY($1) AND released_at IS NULL
         RETURNING id",
        &held,
        f64::from(lease_seconds),
    )
    .fetch_all(connection)
    .await?;
    Ok(held.into_iter().filter(|id| still.contains(id)).collect())
}

/// Takes a photo that the acting user finished back to answer it again. Its labels stand until then, and it does not
/// expire.
///
/// # Errors
/// [`Error::NotFound`] if it is no claim of theirs or they no longer hold it; rights; the database.
pub async fn undo(actor: &Actor, db: &Db, project: &str, claim_id: i64) -> Result<ClaimedPhoto> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut tx = db.begin().await?;
    let annotator_id = annotator(&mut tx, &access).await?.ok_or(Error::NotFound("claim"))?;
    slots::lock_annotator(&mut *tx, annotator_id).await?;
    sqlx::query!(
        "UPDATE claims SET returned_at = CASE WHEN done_at IS NULL THEN returned_at ELSE now() END, done_at = NULL
         WHERE id = $1 AND project_id = $2 AND annotator_id = $3 AND released_at IS NULL
         RETURNING id",
        claim_id,
        access.project_id,
        annotator_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("claim"))?;
    let photo = load::claimed_photo(&mut tx, access.project_id, claim_id).await?;
    tx.commit().await?;
    Ok(photo)
}

/// Gives claims of the acting user back unanswered. Photos that came back to them, those that are answered in part, finished
/// ones and claims of others stay as they are.
///
/// # Errors
/// Rights; the database.
pub async fn release(actor: &Actor, db: &Db, project: &str, claim_ids: &[i64]) -> Result<()> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut tx = db.begin().await?;
    let own = sqlx::query_scalar!(
        "SELECT c.id FROM claims c JOIN annotators a ON a.id = c.annotator_id
         WHERE c.id = ANY($1) AND c.project_id = $2 AND a.user_id = $3
           AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.photo_id = c.photo_id AND l.annotator_id = c.annotator_id
                                                    AND l.superseded_at IS NULL)",
        claim_ids,
        access.project_id,
        access.user_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    slots::free(&mut tx, &own).await?;
    Ok(tx.commit().await?)
}

/// Gives back every unanswered claim of the acting user, in all projects: they sign out.
///
/// # Errors
/// Rights; the database.
pub async fn release_all(actor: &Actor, db: &Db) -> Result<()> {
    let user_id = rights::require_server(actor, db, Operation::OwnAccount).await?;
    let mut tx = db.begin().await?;
    let own = sqlx::query_scalar!(
        "SELECT c.id FROM annotators a
         JOIN claims c ON c.project_id = a.project_id AND c.annotator_id = a.id
         WHERE a.user_id = $1 AND c.released_at IS NULL AND c.done_at IS NULL",
        user_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    slots::free(&mut tx, &own).await?;
    Ok(tx.commit().await?)
}

/// The photos that the acting user finished last, newest first, at most 200.
///
/// # Errors
/// Rights; the database.
pub async fn history(actor: &Actor, db: &Db, project: &str, limit: usize) -> Result<Vec<ClaimedPhoto>> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut connection = db.acquire().await?;
    let Some(annotator_id) = annotator(&mut connection, &access).await? else { return Ok(Vec::new()) };
    let claims = sqlx::query_scalar!(
        "SELECT id FROM claims WHERE annotator_id = $1 AND done_at IS NOT NULL AND released_at IS NULL
         ORDER BY done_at DESC, id DESC LIMIT $2",
        annotator_id,
        i64::try_from(limit.min(200)).map_err(Error::internal)?,
    )
    .fetch_all(&mut *connection)
    .await?;
    load::claimed_photos(&mut connection, access.project_id, &claims).await
}
