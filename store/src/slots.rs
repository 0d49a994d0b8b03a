//! Slots of the queue: the only place that changes which claims count in `tasks.taken`.
//!
//! Order of locks, so that nobody deadlocks: the annotator's row, claims by id, tasks by photo id. Whoever takes new
//! photos skips tasks that others have locked and waits for nothing afterwards.

use sqlx::{PgConnection, PgExecutor};

use crate::error::Result;

/// One annotator's claims change in one transaction at a time.
pub(crate) async fn lock_annotator(db: impl PgExecutor<'_>, annotator_id: i64) -> Result<()> {
    sqlx::query!("SELECT id FROM annotators WHERE id = $1 FOR NO KEY UPDATE", annotator_id).fetch_one(db).await?;
    Ok(())
}

/// Photos of the project with an open slot that the annotator has not had, locked until the transaction ends.
pub(crate) async fn lock_open(
    db: impl PgExecutor<'_>,
    project_id: i64,
    annotator_id: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_file_scalar!("queries/lock_open.sql", project_id, annotator_id, limit).fetch_all(db).await?)
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
pub(crate) async fn take(
    connection: &mut PgConnection,
    project_id: i64,
    photo_ids: &[i64],
    annotator_ids: &[i64],
    lease_seconds: i32,
    done: bool,
) -> Result<Vec<i64>> {
    let claims = sqlx::query_scalar!(
        "INSERT INTO claims (project_id, photo_id, annotator_id, slot, expires_at, done_at)
         SELECT $1, n.photo_id, n.annotator_id,
                (SELECT s FROM generate_series(1, n.nth + (SELECT count(*) FROM claims c
                                                           WHERE c.photo_id = n.photo_id AND c.released_at IS NULL)) s
                 WHERE NOT EXISTS (SELECT 1 FROM claims c
                                   WHERE c.photo_id = n.photo_id AND c.slot = s AND c.released_at IS NULL)
                 ORDER BY s OFFSET n.nth - 1 LIMIT 1)::smallint,
                now() + make_interval(secs => $4), CASE WHEN $5 THEN now() END
         FROM (SELECT photo_id, annotator_id, place, row_number() OVER (PARTITION BY photo_id ORDER BY place) AS nth
               FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS p(photo_id, annotator_id, place)) n
         ORDER BY n.place
         RETURNING id",
        project_id,
        photo_ids,
        annotator_ids,
        f64::from(lease_seconds),
        done,
    )
    .fetch_all(&mut *connection)
    .await?;
    count_taken(connection, photo_ids, 1).await?;
    Ok(claims)
}

/// Takes a slot again for a claim that had been released, and marks it done. The caller has locked its task.
pub(crate) async fn retake_done(connection: &mut PgConnection, claim_id: i64, photo_id: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE claims SET released_at = NULL, returned_at = NULL, done_at = now(),
                slot = (SELECT s FROM generate_series(1, 1 + (SELECT count(*) FROM claims c
                                                              WHERE c.photo_id = $2 AND c.released_at IS NULL)) s
                        WHERE NOT EXISTS (SELECT 1 FROM claims c
                                          WHERE c.photo_id = $2 AND c.slot = s AND c.released_at IS NULL)
                        ORDER BY s LIMIT 1)::smallint
         WHERE id = $1",
        claim_id,
        photo_id,
    )
    .execute(&mut *connection)
    .await?;
    count_taken(connection, &[photo_id], 1).await
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
    let held = sqlx::query_scalar!(
        "SELECT c.id FROM annotators a JOIN claims c ON c.project_id = a.project_id AND c.annotator_id = a.id
         WHERE a.id = ANY($1) AND c.released_at IS NULL AND c.done_at IS NULL ORDER BY c.id FOR UPDATE OF c",
        &annotators,
    )
    .fetch_all(&mut *connection)
    .await?;
    release_locked(connection, &held).await
}

async fn release_locked(connection: &mut PgConnection, claim_ids: &[i64]) -> Result<()> {
    if claim_ids.is_empty() {
        return Ok(());
    }
    let photos =
        sqlx::query_scalar!("UPDATE claims SET released_at = now() WHERE id = ANY($1) RETURNING photo_id", claim_ids)
            .fetch_all(&mut *connection)
            .await?;
    lock_tasks(&mut *connection, &photos).await?;
    count_taken(connection, &photos, -1).await
}

/// Adds `step` to `taken` of each photo, as often as the photo occurs.
async fn count_taken(connection: &mut PgConnection, photo_ids: &[i64], step: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE tasks t SET taken = (t.taken + n.times * $2)::smallint
         FROM (SELECT photo_id, count(*) AS times FROM unnest($1::bigint[]) AS p(photo_id) GROUP BY photo_id) n
         WHERE t.photo_id = n.photo_id",
        photo_ids,
        step,
    )
    .execute(connection)
    .await?;
    Ok(())
}
