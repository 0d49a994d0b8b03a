//! An annotator's place in the queue: claiming walks from there, however much they have answered before it.
//!
//! The promise of a place: whatever was open before it when it was kept had been had by the annotator, or was opened
//! again by a transaction from `since` on. It stands as long as
//! - whoever opens a task again (a slot that is given back, one more answer needed) marks it with its own transaction,
//!   `tasks.reopened`, which is not below `since` where the place could not see it yet;
//! - whoever moves many tasks begins a new epoch afterwards;
//! - new photos come last: their priority is 0, their ids are the highest.
//!
//! A place is given up after an hour all the same: transaction numbers begin anew where a database is restored.

use sqlx::PgConnection;

use crate::error::Result;

/// What a claim needs to know when it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// How long a claimed photo is held, in seconds.
    pub(crate) lease_seconds: i32,
    /// The annotator is on pause: nothing is taken.
    pub(crate) paused: bool,
    /// Share of the annotator's photos that are gold.
    pub(crate) gold_rate: f64,
    /// Photos that the annotator has had since gold was first mixed in, those in hand left out; none before that.
    pub(crate) finished: Option<i64>,
    epoch: i64,
    kept: Option<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    priority: f32,
    photo_id: i64,
    since: i64,
}

/// Before everything: there is nothing that could have been opened again.
const BEGINNING: Kept = Kept { priority: f32::INFINITY, photo_id: 0, since: i64::MAX };

impl Place {
    /// The annotator's place. Locks the annotator's row, as [`crate::slots::lock_annotator`] does.
    pub(crate) async fn lock(connection: &mut PgConnection, annotator_id: i64) -> Result<Self> {
        let row = sqlx::query!(
            r#"SELECT p.lease_seconds, p.queue_epoch, p.gold_rate, a.paused_at IS NOT NULL AS "paused!",
                      a.photos_done - a.gold_from AS finished, q.priority AS "priority?", q.photo_id AS "photo_id?",
                      q.since AS "since?"
               FROM annotators a JOIN projects p ON p.id = a.project_id
               LEFT JOIN queue_places q ON q.annotator_id = a.id AND q.epoch = p.queue_epoch
                   AND q.begun_at > now() - interval '1 hour'
                   AND q.since <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
               WHERE a.id = $1
               FOR NO KEY UPDATE OF a"#,
            annotator_id,
        )
        .fetch_one(connection)
        .await?;
        let kept = match (row.priority, row.photo_id, row.since) {
            (Some(priority), Some(photo_id), Some(since)) => Some(Kept { priority, photo_id, since }),
            _ => None,
        };
        Ok(Self {
            lease_seconds: row.lease_seconds,
            paused: row.paused,
            gold_rate: row.gold_rate,
            finished: row.finished,
            epoch: row.queue_epoch,
            kept,
        })
    }

    /// Whether the walk begins at the beginning.
    pub(crate) fn is_new(&self) -> bool {
        self.kept.is_none()
    }

    /// Keeps how far the annotator is now, after they have taken what they found. Whether there is anything left that
    /// they could have but for others who are just taking it.
    pub(crate) async fn keep(&self, connection: &mut PgConnection, project_id: i64, annotator_id: i64) -> Result<bool> {
        let from = self.kept.unwrap_or(BEGINNING);
        Ok(sqlx::query_file_scalar!(
            "queries/keep_place.sql",
            project_id,
            annotator_id,
            from.priority,
            from.photo_id,
            from.since,
            self.epoch,
            self.is_new(),
        )
        .fetch_one(connection)
        .await?)
    }
}

/// Photos of the project with an open slot that the annotator has not had, locked until the transaction ends; at most 20.
pub(crate) async fn lock_open(
    connection: &mut PgConnection,
    project_id: i64,
    annotator_id: i64,
    place: &Place,
    limit: i64,
) -> Result<Vec<i64>> {
    let from = place.kept.unwrap_or(BEGINNING);
    Ok(sqlx::query_file_scalar!(
        "queries/lock_open.sql",
        project_id,
        annotator_id,
        limit,
        from.priority,
        from.photo_id,
        from.since,
    )
    .fetch_all(connection)
    .await?)
}
