//! Claiming photos and giving them back.

use std::time::Duration;

use kenami_domain::{
    roles::Role,
    view::annotate::{Claimed, ClaimedPhoto},
};
use sqlx::PgConnection;

use super::{annotator, ensure_annotator, load, progress};
use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    gold::mix::Plan,
    queue::{self, Place},
    quiz,
    rights::{self, Access, Operation},
    slots,
};

/// The most photos that one annotator's page holds at once.
const MOST: usize = 20;
/// How often somebody who came away empty-handed tries again, where others were just taking what there is.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Gives the acting user `want` photos (1 to 20, else the nearest) to answer.
///
/// First come those that they hold already: `have`, the claims that the page shows, in that order; then photos that
/// came back to them; then the others. Their time starts anew. The rest is taken from the queue, most urgent first; no
/// slot is given twice, no photo twice to the same annotator. Among them are gold photos that the annotator has not seen, at
/// the project's rate; nothing tells them apart. Who is on pause or has the quiz before them gets nothing.
///
/// # Errors
/// Rights; the database.
pub async fn claim(actor: &Actor, db: &Db, project: &str, want: usize, have: &[i64]) -> Result<Claimed> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let want = want.clamp(1, MOST);
    let annotator_id = enter(db, &access).await?;
    let mut connection = db.acquire().await?;
    let stopped = quiz::stopped(&mut connection, &access, annotator_id).await?;
    drop(connection);
    if stopped.is_some() {
        let progress = progress::of(db, access.project_id, Some(annotator_id)).await?;
        return Ok(Claimed { photos: Vec::new(), progress, held_by_others: 0, stopped });
    }
    let gold = access.role == Role::Annotator;
    let wanted = Wanted { project_id: access.project_id, annotator_id, want, have, gold };
    let mut claims = wanted.take(db).await?;
    for _ in 0..TRIES {
        // Others are just taking what there is: some of it may be left.
        let Taken { ids, more: true } = &claims else { break };
        if !ids.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        claims = wanted.take(db).await?;
    }

    // One connection at a time: a request that waits for a second one while it holds the first can starve the pool.
    let mut connection = db.acquire().await?;
    let photos = load::claimed_photos(&mut connection, access.project_id, &claims.ids).await?;
    let held_by_others = if photos.len() < want {
        progress::held_by_others(&mut *connection, access.project_id, annotator_id).await?
    } else {
        0
    };
    drop(connection);
    let progress = progress::of(db, access.project_id, Some(annotator_id)).await?;
    Ok(Claimed { photos, progress, held_by_others, stopped: None })
}

/// The annotator of the acting user; expired slots of others go back to the queue.
async fn enter(db: &Db, access: &Access) -> Result<i64> {
    let known = sqlx::query!(
        r#"SELECT a.id, EXISTS (SELECT 1 FROM claims c
                                WHERE c.project_id = $1 AND c.expires_at <= now() AND c.annotator_id <> a.id
                                  AND c.released_at IS NULL AND c.done_at IS NULL AND c.returned_at IS NULL) AS "expired!"
           FROM annotators a WHERE a.project_id = $1 AND a.user_id = $2"#,
        access.project_id,
        access.user_id,
    )
    .fetch_optional(db)
    .await?;
    if let Some(known) = &known
        && !known.expired
    {
        return Ok(known.id);
    }
    let mut tx = db.begin().await?;
    let annotator_id = ensure_annotator(&mut tx, access).await?;
    slots::sweep(&mut tx, access.project_id, annotator_id).await?;
    tx.commit().await?;
    Ok(annotator_id)
}

/// What an annotator asks for.
struct Wanted<'a> {
    project_id: i64,
    annotator_id: i64,
    want: usize,
    have: &'a [i64],
    /// Gold photos are mixed in. Who decides or leads knows the answers.
    gold: bool,
}

/// Claims in the order in which they are to be shown.
struct Taken {
    ids: Vec<i64>,
    /// Whether the queue has more that this annotator could have, though somebody may just be taking it.
    more: bool,
}

impl Wanted<'_> {
    /// What the annotator holds, and the rest from the queue.
    async fn take(&self, db: &Db) -> Result<Taken> {
        let mut tx = db.begin().await?;
        let place = Place::lock(&mut tx, self.annotator_id).await?;
        if place.paused {
            return Ok(Taken { ids: Vec::new(), more: false });
        }
        let mut ids = self.hold(&mut tx, place.lease_seconds).await?;
        let mut more = false;
        if ids.len() < self.want {
            if place.is_new() {
                slots::count_done(&mut *tx, &[self.annotator_id]).await?;
            }
            let (photos, gold) = self.choose(&mut tx, &place, ids.len()).await?;
            if !photos.is_empty() {
                let me = vec![self.annotator_id; photos.len()];
                let lease = place.lease_seconds;
                ids.extend(slots::take(&mut tx, self.project_id, &photos, &me, &gold, lease, false).await?);
            }
            more = place.keep(&mut tx, self.project_id, self.annotator_id).await?;
        }
        tx.commit().await?;
        Ok(Taken { ids, more })
    }

    /// New photos for an annotator who has `held` in hand, those from the queue locked, and which of them are gold.
    async fn choose(&self, connection: &mut PgConnection, place: &Place, held: usize) -> Result<(Vec<i64>, Vec<bool>)> {
        let count = self.want - held;
        let plan = match self.gold {
            true => Plan::make(connection, self.annotator_id, place, held, count).await?,
            false => Plan::none(count),
        };
        let limit = i64::try_from(plan.asked_of_queue()).map_err(Error::internal)?;
        let photos = queue::lock_open(connection, self.project_id, self.annotator_id, place, limit).await?;
        Ok(plan.fill(photos))
    }

    /// Claims that the annotator holds, first those of the page, then those that came back; their time starts anew.
    async fn hold(&self, connection: &mut PgConnection, lease_seconds: i32) -> Result<Vec<i64>> {
        // A claim may have been swept since; it has gone then, and only what is still held is returned.
        Ok(sqlx::query_scalar!(
            r#"WITH page AS (
                   SELECT id, array_position($3::bigint[], id) AS place FROM claims
                   WHERE id = ANY($3) AND project_id = $1 AND annotator_id = $2 AND released_at IS NULL AND done_at IS NULL
               ), others AS (
                   SELECT id, row_number() OVER (ORDER BY returned_at, id) AS place FROM (
                       SELECT id, returned_at FROM claims
                       WHERE project_id = $1 AND annotator_id = $2 AND released_at IS NULL AND done_at IS NULL
                         AND id <> ALL($3)
                       ORDER BY returned_at, id LIMIT $4) o
               ), held AS (
                   SELECT id, row_number() OVER (ORDER BY page, place) AS place FROM (
                       SELECT id, 1 AS page, place FROM page UNION ALL SELECT id, 2, place FROM others) h
                   ORDER BY page, place LIMIT $4
               ), still AS (
                   UPDATE claims c SET expires_at = greatest(c.expires_at, now() + make_interval(secs => $5))
                   FROM held WHERE c.id = held.id AND c.released_at IS NULL
                   RETURNING c.id, held.place
               )
               SELECT id AS "id!" FROM still ORDER BY place"#,
            self.project_id,
            self.annotator_id,
            self.have,
            i64::try_from(self.want).map_err(Error::internal)?,
            f64::from(lease_seconds),
        )
        .fetch_all(connection)
        .await?)
    }
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
    if !slots::unfinish(&mut *tx, access.project_id, annotator_id, claim_id).await? {
        return Err(Error::NotFound("claim"));
    }
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
