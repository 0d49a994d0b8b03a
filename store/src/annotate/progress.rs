//! How far an annotator and the project are.

use kenami_domain::view::annotate::MyProgress;
use sqlx::PgExecutor;

use super::{
    annotator,
    counts::{Count, Counts},
};
use crate::{
    actor::Actor,
    db::Db,
    error::Result,
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
    let (done, mine) = match annotator_id {
        Some(id) => {
            let done = sqlx::query_scalar!("SELECT photos_done FROM annotators WHERE id = $1", id);
            (done.fetch_one(db).await?, MINE.get(db, id, count_mine).await?)
        }
        None => (0, Mine::default()),
    };
    Ok(MyProgress {
        done,
        open: (totals.open_photos - mine.still_open).max(0) + mine.held,
        project_done: totals.slots_done,
        project_total: totals.slots,
    })
}

/// Open slots that others hold, on photos that this annotator has not had.
pub(super) async fn held_by_others(db: impl PgExecutor<'_>, project_id: i64, annotator_id: i64) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "held!" FROM claims c
           WHERE c.project_id = $1 AND c.annotator_id <> $2 AND c.released_at IS NULL AND c.done_at IS NULL
             AND c.returned_at IS NULL
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
                  (SELECT coalesce(sum(photos_done), 0)::bigint FROM annotators WHERE project_id = $1) AS "slots_done!"
           FROM tasks WHERE project_id = $1"#,
        project_id,
    )
    .fetch_one(&db)
    .await?)
}

async fn count_mine(db: Db, annotator_id: i64) -> Result<Mine> {
    Ok(sqlx::query_as!(
        Mine,
        r#"SELECT count(*) AS "photos!", count(*) FILTER (WHERE c.done_at IS NULL) AS "held!",
                  count(*) FILTER (WHERE t.taken < t.needed) AS "still_open!"
           FROM claims c JOIN tasks t ON t.photo_id = c.photo_id
           WHERE c.annotator_id = $1 AND c.released_at IS NULL"#,
        annotator_id,
    )
    .fetch_one(&db)
    .await?)
}
