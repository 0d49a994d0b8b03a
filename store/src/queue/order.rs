//! Which photos come first.

use kenami_domain::view::queue::QueueOrder;
use sqlx::{PgConnection, PgExecutor};

use super::{BATCH, EPOCH, begin_epoch};
use crate::{
    db::Db,
    error::{Error, Result},
    slots,
};

/// The order that the project asks for.
pub(super) async fn wanted(db: impl PgExecutor<'_>, project_id: i64) -> Result<QueueOrder> {
    let order = sqlx::query_scalar!("SELECT queue_order FROM projects WHERE id = $1", project_id).fetch_one(db).await?;
    order.parse().map_err(Error::internal)
}

/// Gives every task the priority of the project's order; how many changed. All priorities are computed by one statement
/// that locks nothing, then applied in batches.
pub(super) async fn apply(db: &Db, project_id: i64) -> Result<i64> {
    stage(db, project_id).await?;
    let mut changed = 0;
    for step in 1.. {
        let moved = move_batch(db, project_id, step).await?;
        changed += moved;
        if moved < BATCH {
            break;
        }
    }
    Ok(changed)
}

/// Computes the priorities that are to change. Who comes later replaces what an earlier call has not applied yet.
async fn stage(db: &Db, project_id: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('queue_priorities'), $1::bigint::integer)", project_id)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("DELETE FROM queue_priorities WHERE project_id = $1", project_id).execute(&mut *tx).await?;
    let order = wanted(&mut *tx, project_id).await?;
    match order {
        QueueOrder::Order => sqlx::query_file!("queries/priorities_order.sql", project_id).execute(&mut *tx).await?,
        QueueOrder::Entropy | QueueOrder::Margin => {
            let margin = order == QueueOrder::Margin;
            sqlx::query_file!("queries/priorities_doubt.sql", project_id, margin).execute(&mut *tx).await?
        }
        QueueOrder::Disagreement => {
            sqlx::query_file!("queries/priorities_disagreement.sql", project_id).execute(&mut *tx).await?
        }
        QueueOrder::Balance => {
            sqlx::query_file!("queries/priorities_balance.sql", project_id).execute(&mut *tx).await?
        }
    };
    Ok(tx.commit().await?)
}

/// Applies some of the staged priorities as the `step`-th batch, and begins an epoch every so many steps and with the last;
/// fewer than a batch when none are left.
async fn move_batch(db: &Db, project_id: i64, step: usize) -> Result<i64> {
    let mut tx = db.begin().await?;
    let batch = take_batch(&mut tx, project_id).await?;
    let (photos, priorities): (Vec<i64>, Vec<f32>) = batch.into_iter().unzip();
    slots::lock_tasks(&mut *tx, &photos).await?;
    sqlx::query!(
        "UPDATE tasks t SET priority = n.priority
         FROM unnest($1::bigint[], $2::real[]) AS n (photo_id, priority) WHERE t.photo_id = n.photo_id",
        &photos,
        &priorities,
    )
    .execute(&mut *tx)
    .await?;
    let moved = i64::try_from(photos.len()).map_err(Error::internal)?;
    let (last, nothing) = (moved < BATCH, moved == 0 && step == 1);
    if !nothing && (last || step.is_multiple_of(EPOCH)) {
        begin_epoch(&mut *tx, project_id).await?;
    }
    tx.commit().await?;
    Ok(moved)
}

async fn take_batch(connection: &mut PgConnection, project_id: i64) -> Result<Vec<(i64, f32)>> {
    let rows = sqlx::query!(
        "DELETE FROM queue_priorities WHERE project_id = $1 AND photo_id IN (
             SELECT photo_id FROM queue_priorities WHERE project_id = $1 ORDER BY photo_id LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING photo_id, priority",
        project_id,
        BATCH,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.photo_id, row.priority)).collect())
}
