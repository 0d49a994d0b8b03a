//! How many answers photos need.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgExecutor};

use super::{BATCH, EPOCH, begin_epoch};
use crate::{db::Db, error::Result, slots};

/// Brings `needed` of photos to what the settings, their answers and decisions make of it. The caller has locked their
/// tasks by [`slots::lock_tasks`].
pub(crate) async fn settle(db: impl PgExecutor<'_>, photo_ids: &[i64]) -> Result<()> {
    sqlx::query_file!("queries/settle.sql", photo_ids, true).execute(db).await?;
    Ok(())
}

/// [`settle`] for a whole project, batch by batch.
pub(super) async fn settle_all(db: &Db, project_id: i64) -> Result<()> {
    await_earlier(db).await?;
    let (mut after, mut changed) = (0, 0);
    for step in 1.. {
        let mut tx = db.begin().await?;
        let batch = batch(&mut tx, project_id, after).await?;
        let Some(last) = batch.last() else { break };
        after = *last;
        // Locked even where nothing changes: an answer that is just being given is either seen here or sees the new
        // settings.
        slots::lock_tasks(&mut *tx, &batch).await?;
        let settled = sqlx::query_file!("queries/settle.sql", &batch, false).execute(&mut *tx).await?;
        changed += settled.rows_affected();
        if changed > 0 && (step % EPOCH == 0 || batch.len() < BATCH as usize) {
            begin_epoch(&mut *tx, project_id).await?;
            changed = 0;
        }
        tx.commit().await?;
    }
    if changed > 0 {
        begin_epoch(db, project_id).await?;
    }
    Ok(())
}

/// Waits until transactions have ended that may have read the settings of before, but not for long ones.
async fn await_earlier(db: &Db) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(10);
    let now = sqlx::query_scalar!(r#"SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "now!""#);
    let now = now.fetch_one(db).await?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let ended = sqlx::query_scalar!(
            r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1 AS "ended!""#,
            now,
        );
        if ended.fetch_one(db).await? {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn batch(connection: &mut PgConnection, project_id: i64, after: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        "SELECT p.id FROM photos p JOIN tasks t ON t.photo_id = p.id
         WHERE p.project_id = $1 AND p.id > $2 AND t.photo_id > $2 ORDER BY p.id LIMIT $3",
        project_id,
        after,
        BATCH,
    )
    .fetch_all(connection)
    .await?)
}

/// Makes the tasks of new photos.
pub(crate) async fn add_tasks(db: impl PgExecutor<'_>, project_id: i64, photo_ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO tasks (photo_id, project_id, needed)
         SELECT n.id, p.id, photo_overlap(n.id, p.overlap, p.overlap_share)
         FROM unnest($2::bigint[]) AS n (id), projects p WHERE p.id = $1",
        project_id,
        photo_ids,
    )
    .execute(db)
    .await?;
    Ok(())
}
