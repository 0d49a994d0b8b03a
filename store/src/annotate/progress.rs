//! How far an annotator and the project are.

use kenami_domain::{gold, view::annotate::MyProgress};
use sqlx::PgExecutor;

use super::annotator;
use crate::{
    actor::Actor,
    counts::{Count, Counts},
    db::Db,
    error::Result,
    gold::mix,
    rights::{self, Operation},
};

/// How far the acting user and the project are.
///
/// # Errors
/// Rights; the database.
pub async fn my_progress(actor: &Actor, db: &Db, project: &str) -> Result<MyProgress> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut connection = db.acquire().await?;
    let annotator_id = annotator(&mut connection, &access).await?;
    drop(connection);
    of(db, access.project_id, annotator_id).await
}

/// Progress of one annotator; `None` for somebody who has not begun.
pub(super) async fn of(db: &Db, project_id: i64, annotator_id: Option<i64>) -> Result<MyProgress> {
    let totals = TOTALS.get(db, project_id, count_project).await?;
    let Some(id) = annotator_id else {
        let (open, project_done, project_total) = (totals.open_photos, totals.slots_done, totals.slots);
        return Ok(MyProgress { done: 0, open, project_done, project_total });
    };
    let own = sqlx::query_as!(
        Own,
        "SELECT a.photos_done, a.photos_done - a.gold_from AS finished, p.gold_rate
         FROM annotators a JOIN projects p ON p.id = a.project_id WHERE a.id = $1",
        id,
    )
    .fetch_one(db)
    .await?;
    let mine = MINE.get(db, id, count_mine).await?;
    let real = (totals.open_photos - mine.still_open).max(0) + mine.held;
    let gold = gold_to_come(id, &own, &mine, real);
    Ok(MyProgress {
        done: own.photos_done,
        open: real + gold,
        project_done: totals.slots_done + mine.gold_done,
        project_total: totals.slots + mine.gold_done + gold,
    })
}

/// What an annotator has done.
struct Own {
    photos_done: i64,
    /// Since gold was first mixed in.
    finished: Option<i64>,
    gold_rate: f64,
}

/// Gold photos that come before `real` others are done. With them each photo, gold or not, moves all figures alike.
fn gold_to_come(annotator_id: i64, own: &Own, mine: &Mine, real: i64) -> i64 {
    let Some(finished) = own.finished.filter(|_| real > 0) else { return mine.gold_held };
    let planned = gold::mixed_in(annotator_id, finished.max(0) as u64, real as u64, own.gold_rate);
    i64::try_from(planned).unwrap_or(i64::MAX).min(mine.gold_unseen + mine.gold_held)
}

/// Open slots that others hold, on photos that this annotator has not had.
pub(super) async fn held_by_others(db: impl PgExecutor<'_>, project_id: i64, annotator_id: i64) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "held!" FROM claims c
           WHERE c.project_id = $1 AND c.annotator_id <> $2 AND c.released_at IS NULL AND c.done_at IS NULL
             AND c.returned_at IS NULL AND c.slot IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM claims mine WHERE mine.annotator_id = $2 AND mine.photo_id = c.photo_id
                             AND mine.released_at IS NULL)"#,
        project_id,
        annotator_id,
    )
    .fetch_one(db)
    .await?)
}

/// Counts over all photos of a project; in a large one they are up to 50 times as old as counting takes.
static TOTALS: Counts<Totals> = Counts::new(50);
/// Counts over all photos that an annotator has had. There are many annotators: these may be older.
static MINE: Counts<Mine> = Counts::new(500);

#[derive(Debug, Clone, Copy)]
struct Totals {
    photos: i64,
    open_photos: i64,
    slots: i64,
    slots_done: i64,
}

impl Count for Totals {
    fn rows(&self) -> i64 {
        self.photos
    }
}

/// Of the photos that an annotator has had.
#[derive(Debug, Clone, Copy, Default)]
struct Mine {
    photos: i64,
    held: i64,
    /// Open to others.
    still_open: i64,
    gold_done: i64,
    gold_held: i64,
    /// Gold photos that could still be mixed in.
    gold_unseen: i64,
}

impl Count for Mine {
    fn rows(&self) -> i64 {
        self.photos
    }
}

async fn count_project(db: Db, project_id: i64) -> Result<Totals> {
    Ok(sqlx::query_as!(
        Totals,
        r#"SELECT count(*) AS "photos!", count(*) FILTER (WHERE taken < needed) AS "open_photos!",
                  coalesce(sum(needed), 0) AS "slots!",
                  (SELECT coalesce(sum(photos_done - photos_outside), 0)::bigint FROM annotators WHERE project_id = $1) AS "slots_done!"
           FROM tasks WHERE project_id = $1"#,
        project_id,
    )
    .fetch_one(&db)
    .await?)
}

async fn count_mine(db: Db, annotator_id: i64) -> Result<Mine> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "photos!", count(*) FILTER (WHERE c.done_at IS NULL AND c.slot IS NOT NULL) AS "held!",
                  count(*) FILTER (WHERE t.taken < t.needed) AS "still_open!",
                  count(*) FILTER (WHERE c.gold AND c.done_at IS NOT NULL) AS "gold_done!",
                  count(*) FILTER (WHERE c.gold AND c.done_at IS NULL) AS "gold_held!",
                  (SELECT p.gold_rate > 0 AND a.gold_from IS NOT NULL
                   FROM annotators a JOIN projects p ON p.id = a.project_id WHERE a.id = $1) AS "mixed!"
           FROM claims c JOIN tasks t ON t.photo_id = c.photo_id
           WHERE c.annotator_id = $1 AND c.released_at IS NULL"#,
        annotator_id,
    )
    .fetch_one(&db)
    .await?;
    Ok(Mine {
        photos: row.photos,
        held: row.held,
        still_open: row.still_open,
        gold_done: row.gold_done,
        gold_held: row.gold_held,
        gold_unseen: if row.mixed { mix::count_unseen(&db, annotator_id).await? } else { 0 },
    })
}
