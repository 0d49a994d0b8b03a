//! Slots of the queue: the only place that changes which claims count in `tasks.taken`, and with publications and imports,
//! which count anew, the only one that changes which are done.
//!
//! Order of locks, so that nobody deadlocks: the annotator's row, attributes by id, claims by id, tasks by photo id. Whoever takes new
//! photos skips tasks that others have locked and waits for nothing afterwards.

use sqlx::{PgConnection, PgExecutor};

use crate::{db::Db, error::Result};

/// One annotator's claims change in one transaction at a time.
pub(crate) async fn lock_annotator(db: impl PgExecutor<'_>, annotator_id: i64) -> Result<()> {
    sqlx::query!("SELECT id FROM annotators WHERE id = $1 FOR NO KEY UPDATE", annotator_id).fetch_one(db).await?;
    Ok(())
}

/// Those of `photo_ids` that have an open slot and that nobody is just taking, locked until the transaction ends.
pub(crate) async fn lock_open_of(db: impl PgExecutor<'_>, photo_ids: &[i64]) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        "SELECT photo_id FROM tasks WHERE photo_id = ANY($1) AND taken < needed
         ORDER BY photo_id FOR UPDATE SKIP LOCKED",
        photo_ids,
    )
    .fetch_all(db)
    .await?)
}

/// Held claims do not expire before `seconds` from now.
pub(crate) async fn extend(db: impl PgExecutor<'_>, claim_ids: &[i64], seconds: i32) -> Result<()> {
    sqlx::query!(
        "UPDATE claims SET expires_at = greatest(expires_at, now() + make_interval(secs => $2))
         WHERE id = ANY($1) AND released_at IS NULL AND done_at IS NULL",
        claim_ids,
        f64::from(seconds),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Locks the tasks of `photo_ids` in the order of ids.
pub(crate) async fn lock_tasks(db: impl PgExecutor<'_>, photo_ids: &[i64]) -> Result<()> {
    sqlx::query!("SELECT photo_id FROM tasks WHERE photo_id = ANY($1) ORDER BY photo_id FOR UPDATE", photo_ids)
        .fetch_all(db)
        .await?;
    Ok(())
}

/// Claims the lowest free slots of photos whose tasks the caller has locked: one claim for each pair of a photo and an
/// annotator, `done` at once or held for `lease_seconds`. Slots beyond the needed ones are made where there is no other.
/// Pairs that `gold` names (by place; it may be shorter) are claimed as gold, without a slot, and need no lock.
pub(crate) async fn take(
    connection: &mut PgConnection,
    project_id: i64,
    photo_ids: &[i64],
    annotator_ids: &[i64],
    gold: &[bool],
    lease_seconds: i32,
    done: bool,
) -> Result<Vec<i64>> {
    // The rows of the tasks are those that were locked; a task is counted as often as it is taken.
    Ok(sqlx::query_scalar!(
        r#"WITH new AS (
               INSERT INTO claims (project_id, photo_id, annotator_id, gold, slot, expires_at, done_at)
               SELECT $1, n.photo_id, n.annotator_id, n.gold,
                      CASE WHEN NOT n.gold THEN
                      (SELECT s FROM generate_series(1, n.nth + (SELECT count(*) FROM claims c
                                                                 WHERE c.photo_id = n.photo_id AND c.released_at IS NULL)) s
                       WHERE NOT EXISTS (SELECT 1 FROM claims c
                                         WHERE c.photo_id = n.photo_id AND c.slot = s AND c.released_at IS NULL)
                       ORDER BY s OFFSET n.nth - 1 LIMIT 1)::smallint END,
                      now() + make_interval(secs => $4), CASE WHEN $5 THEN now() END
               FROM (SELECT photo_id, annotator_id, coalesce(gold, false) AS gold, place,
                            row_number() OVER (PARTITION BY photo_id ORDER BY place) AS nth
                     FROM unnest($2::bigint[], $3::bigint[], $6::boolean[]) WITH ORDINALITY
                          AS p(photo_id, annotator_id, gold, place)) n
               ORDER BY n.place
               RETURNING id, photo_id, gold
           ), counted AS (
               UPDATE tasks t SET taken = (t.taken + n.times)::smallint
               FROM (SELECT photo_id, count(*) AS times FROM new WHERE NOT gold GROUP BY photo_id) n
               WHERE t.photo_id = n.photo_id
           )
           SELECT id AS "id!" FROM new ORDER BY id"#,
        project_id,
        photo_ids,
        annotator_ids,
        f64::from(lease_seconds),
        done,
        gold,
    )
    .fetch_all(connection)
    .await?)
}

/// Marks the photo that the annotator has in hand as done, and counts it; whether they have it. The caller has locked
/// the annotator.
pub(crate) async fn finish(db: impl PgExecutor<'_>, photo_id: i64, annotator_id: i64) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"WITH hand AS (
               SELECT id, done_at IS NULL AS unfinished FROM claims
               WHERE photo_id = $1 AND annotator_id = $2 AND released_at IS NULL FOR UPDATE
           ), finished AS (
               UPDATE claims c SET done_at = now(), returned_at = NULL FROM hand WHERE c.id = hand.id
               RETURNING hand.unfinished, (c.slot IS NULL)::integer AS outside
           ), counted AS (
               UPDATE annotators SET photos_done = photos_done + 1,
                                     photos_outside = photos_outside + (SELECT outside FROM finished)
               WHERE id = $2 AND EXISTS (SELECT 1 FROM finished WHERE unfinished)
           )
           SELECT EXISTS (SELECT 1 FROM finished) AS "had!""#,
        photo_id,
        annotator_id,
    )
    .fetch_one(db)
    .await?)
}

/// Takes a done claim of the annotator back to be answered again, or leaves one in hand as it is; whether it is theirs.
/// The caller has locked the annotator.
pub(crate) async fn unfinish(
    db: impl PgExecutor<'_>,
    project_id: i64,
    annotator_id: i64,
    claim_id: i64,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"WITH hand AS (
               SELECT id, done_at IS NOT NULL AS finished FROM claims
               WHERE id = $1 AND project_id = $2 AND annotator_id = $3 AND released_at IS NULL FOR UPDATE
           ), returned AS (
               UPDATE claims c SET done_at = NULL, returned_at = CASE WHEN hand.finished THEN now() ELSE c.returned_at END
               FROM hand WHERE c.id = hand.id
               RETURNING hand.finished, (c.slot IS NULL)::integer AS outside
           ), counted AS (
               UPDATE annotators SET photos_done = photos_done - 1,
                                     photos_outside = photos_outside - (SELECT outside FROM returned)
               WHERE id = $3 AND EXISTS (SELECT 1 FROM returned WHERE finished)
           )
           SELECT EXISTS (SELECT 1 FROM returned) AS "had!""#,
        claim_id,
        project_id,
        annotator_id,
    )
    .fetch_one(db)
    .await?)
}

/// Counts finished photos of annotators anew, in a transaction of its own: for those who changed many claims at once and
/// have committed that.
pub(crate) async fn recount(db: &Db, project_id: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    let annotators = lock_annotators(&mut *tx, project_id).await?;
    count_done(&mut *tx, &annotators).await?;
    Ok(tx.commit().await?)
}

/// As [`lock_annotator`], for all of a project; their ids.
pub(crate) async fn lock_annotators(db: impl PgExecutor<'_>, project_id: i64) -> Result<Vec<i64>> {
    let annotators = sqlx::query_scalar!(
        "SELECT id FROM annotators WHERE project_id = $1 ORDER BY id FOR NO KEY UPDATE",
        project_id,
    );
    Ok(annotators.fetch_all(db).await?)
}

/// Counts finished photos of annotators, whom the caller has locked in an earlier statement.
pub(crate) async fn count_done(db: impl PgExecutor<'_>, annotator_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "UPDATE annotators a SET photos_done = n.done, photos_outside = n.outside
         FROM (SELECT w.id, c.done, c.outside
               FROM unnest($1::bigint[]) AS w(id) CROSS JOIN LATERAL (
                   SELECT count(*) AS done, count(*) FILTER (WHERE slot IS NULL) AS outside FROM claims
                   WHERE annotator_id = w.id AND done_at IS NOT NULL AND released_at IS NULL) c) n
         WHERE a.id = n.id AND (a.photos_done, a.photos_outside) <> (n.done, n.outside)",
        annotator_ids,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives done photos back to annotators who answered them, pairs of both; they do not expire. The caller has locked the
/// annotators and counts them anew ([`count_done`]).
pub(crate) async fn return_each(db: impl PgExecutor<'_>, annotator_ids: &[i64], photo_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "UPDATE claims c SET returned_at = now(), done_at = NULL
         FROM unnest($1::bigint[], $2::bigint[]) AS p(annotator_id, photo_id)
         WHERE c.annotator_id = p.annotator_id AND c.photo_id = p.photo_id
           AND c.released_at IS NULL AND c.done_at IS NOT NULL",
        annotator_ids,
        photo_ids,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a slot again for a claim that had been released (none for a gold one), and marks it done. The caller has locked the annotator and the
/// task.
pub(crate) async fn retake_done(connection: &mut PgConnection, claim_id: i64, photo_id: i64) -> Result<()> {
    sqlx::query!(
        "WITH claim AS (SELECT annotator_id, gold FROM claims WHERE id = $1),
              taken AS (UPDATE tasks SET taken = taken + 1 WHERE photo_id = $2 AND NOT (SELECT gold FROM claim)),
              counted AS (UPDATE annotators SET photos_done = photos_done + 1,
                                 photos_outside = photos_outside + (SELECT gold::integer FROM claim)
                          WHERE id = (SELECT annotator_id FROM claim))
         UPDATE claims SET released_at = NULL, returned_at = NULL, done_at = now(),
                slot = CASE WHEN NOT gold THEN (SELECT s FROM generate_series(1, 1 + (SELECT count(*) FROM claims c
                                                              WHERE c.photo_id = $2 AND c.released_at IS NULL)) s
                        WHERE NOT EXISTS (SELECT 1 FROM claims c
                                          WHERE c.photo_id = $2 AND c.slot = s AND c.released_at IS NULL)
                        ORDER BY s LIMIT 1)::smallint END
         WHERE id = $1",
        claim_id,
        photo_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives the slots of held claims back to the queue. Done and returned claims, and those that are gone, stay as they are.
pub(crate) async fn free(connection: &mut PgConnection, claim_ids: &[i64]) -> Result<()> {
    let held = sqlx::query_scalar!(
        "SELECT id FROM claims
         WHERE id = ANY($1) AND released_at IS NULL AND done_at IS NULL AND returned_at IS NULL
         ORDER BY id FOR UPDATE",
        claim_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    release_locked(connection, &held).await
}

/// Gives expired slots back to the queue, `spare`'s own left out: who comes back late finds the same photos.
pub(crate) async fn sweep(connection: &mut PgConnection, project_id: i64, spare: i64) -> Result<()> {
    let expired = sqlx::query_scalar!(
        "SELECT id FROM claims
         WHERE project_id = $1 AND expires_at <= now() AND annotator_id <> $2
           AND released_at IS NULL AND done_at IS NULL AND returned_at IS NULL
         ORDER BY expires_at LIMIT 500
         FOR UPDATE SKIP LOCKED",
        project_id,
        spare,
    )
    .fetch_all(&mut *connection)
    .await?;
    release_locked(connection, &expired).await
}

/// Gives back every photo that `user_id` holds unfinished, returned ones too, in one project or in all: who leaves blocks
/// no slot. The labels of returned photos stand.
pub(crate) async fn release_user(connection: &mut PgConnection, user_id: i64, project_id: Option<i64>) -> Result<()> {
    let annotators = sqlx::query_scalar!(
        "SELECT id FROM annotators WHERE user_id = $1 AND ($2::bigint IS NULL OR project_id = $2)
         ORDER BY id FOR NO KEY UPDATE",
        user_id,
        project_id,
    )
    .fetch_all(&mut *connection)
    .await?;
    release_annotators(connection, &annotators).await
}

/// Gives back every photo that annotators hold unfinished, returned ones too. The caller has locked them.
pub(crate) async fn release_annotators(connection: &mut PgConnection, annotator_ids: &[i64]) -> Result<()> {
    let held = sqlx::query_scalar!(
        "SELECT c.id FROM annotators a JOIN claims c ON c.project_id = a.project_id AND c.annotator_id = a.id
         WHERE a.id = ANY($1) AND c.released_at IS NULL AND c.done_at IS NULL ORDER BY c.id FOR UPDATE OF c",
        annotator_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    release_locked(connection, &held).await
}

async fn release_locked(connection: &mut PgConnection, claim_ids: &[i64]) -> Result<()> {
    if claim_ids.is_empty() {
        return Ok(());
    }
    let photos = sqlx::query_scalar!(
        "WITH gone AS (UPDATE claims SET released_at = now() WHERE id = ANY($1) RETURNING photo_id, slot)
         SELECT photo_id FROM gone WHERE slot IS NOT NULL",
        claim_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    open_again(connection, &photos).await
}

/// Takes the claims of `photo_ids` that an annotator has out of the queue: their slots are open to others, who they are not
/// given to again. The caller has locked the annotator.
pub(crate) async fn leave(connection: &mut PgConnection, annotator_id: i64, photo_ids: &[i64]) -> Result<()> {
    leave_each(connection, &vec![annotator_id; photo_ids.len()], photo_ids).await
}

/// As [`leave`], for pairs of an annotator and a photo. The caller has locked the annotators.
pub(crate) async fn leave_each(connection: &mut PgConnection, annotator_ids: &[i64], photo_ids: &[i64]) -> Result<()> {
    let claims = sqlx::query_scalar!(
        "SELECT c.id FROM unnest($1::bigint[], $2::bigint[]) AS p(annotator_id, photo_id)
         JOIN claims c ON c.annotator_id = p.annotator_id AND c.photo_id = p.photo_id AND c.released_at IS NULL
         ORDER BY c.id FOR UPDATE OF c",
        annotator_ids,
        photo_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let photos = sqlx::query_scalar!(
        "UPDATE claims SET slot = NULL WHERE id = ANY($1) AND slot IS NOT NULL RETURNING photo_id",
        &claims,
    )
    .fetch_all(&mut *connection)
    .await?;
    open_again(connection, &photos).await
}

/// Gives an annotator's claims of `photo_ids` slots again after [`leave`], beyond the needed ones where others have taken
/// those. The caller has locked the annotator.
pub(crate) async fn come_back(connection: &mut PgConnection, annotator_id: i64, photo_ids: &[i64]) -> Result<()> {
    let photos = sqlx::query_scalar!(
        "SELECT photo_id FROM claims
         WHERE annotator_id = $1 AND photo_id = ANY($2) AND released_at IS NULL AND slot IS NULL AND NOT gold
         ORDER BY id FOR UPDATE",
        annotator_id,
        photo_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    lock_tasks(&mut *connection, &photos).await?;
    sqlx::query!(
        "WITH taken AS (UPDATE tasks SET taken = taken + 1 WHERE photo_id = ANY($2))
         UPDATE claims c SET slot = (
             SELECT s FROM generate_series(1, 1 + (SELECT count(*) FROM claims o
                                                   WHERE o.photo_id = c.photo_id AND o.released_at IS NULL)) s
             WHERE NOT EXISTS (SELECT 1 FROM claims o
                               WHERE o.photo_id = c.photo_id AND o.slot = s AND o.released_at IS NULL)
             ORDER BY s LIMIT 1)::smallint
         WHERE annotator_id = $1 AND photo_id = ANY($2) AND released_at IS NULL",
        annotator_id,
        &photos,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One slot less is taken of each of `photos`, as often as it is named.
async fn open_again(connection: &mut PgConnection, photos: &[i64]) -> Result<()> {
    lock_tasks(&mut *connection, photos).await?;
    // Marked for those whose place in the queue is past these photos (see `queue::place`).
    sqlx::query!(
        "UPDATE tasks t SET taken = (t.taken - n.times)::smallint, reopened = pg_current_xact_id()::text::bigint
         FROM (SELECT photo_id, count(*) AS times FROM unnest($1::bigint[]) AS p(photo_id) GROUP BY photo_id) n
         WHERE t.photo_id = n.photo_id",
        photos,
    )
    .execute(connection)
    .await?;
    Ok(())
}
