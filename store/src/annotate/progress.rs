//! How far an annotator and the project are.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

use kenami_domain::view::annotate::MyProgress;
use sqlx::PgExecutor;

use super::annotator;
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
    let totals = totals(db, project_id).await?;
    let mine = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE c.done_at IS NOT NULL) AS "done!",
                  count(*) FILTER (WHERE c.done_at IS NULL) AS "held!",
                  count(*) FILTER (WHERE t.taken < t.needed) AS "still_open!"
           FROM claims c JOIN tasks t ON t.photo_id = c.photo_id
           WHERE c.annotator_id = $1 AND c.released_at IS NULL"#,
        annotator_id,
    )
    .fetch_one(db)
    .await?;
    Ok(MyProgress {
        done: mine.done,
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

/// Counts over all photos of a project.
#[derive(Debug, Clone, Copy)]
struct Totals {
    open_photos: i64,
    slots: i64,
    slots_done: i64,
}

/// When totals were counted, and how long that took.
struct Counted {
    at: Instant,
    took: Duration,
    totals: Totals,
}

/// A count of a large project (a million photos: some 0.3 s) must not be paid with each answer.
static COUNTED: LazyLock<Mutex<HashMap<(String, i64), Counted>>> = LazyLock::new(Mutex::default);
/// Counts that take less than this are always made anew.
const CHEAP: Duration = Duration::from_millis(50);
/// Others serve for so many times as long as they took: counting takes at most a fiftieth of the time.
const KEEP: u32 = 50;

async fn totals(db: &Db, project_id: i64) -> Result<Totals> {
    let options = db.connect_options();
    let database = format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or(""));
    let key = (database, project_id);
    let known = |counted: &Counted| counted.took > CHEAP && counted.at.elapsed() < counted.took * KEEP;
    if let Some(counted) = COUNTED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&key)
        && known(counted)
    {
        return Ok(counted.totals);
    }
    let at = Instant::now();
    let totals = count(db, project_id).await?;
    let counted = Counted { at, took: at.elapsed(), totals };
    COUNTED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(key, counted);
    Ok(totals)
}

async fn count(db: &Db, project_id: i64) -> Result<Totals> {
    Ok(sqlx::query_as!(
        Totals,
        r#"SELECT count(*) FILTER (WHERE taken < needed) AS "open_photos!", coalesce(sum(needed), 0) AS "slots!",
                  (SELECT count(*) FROM claims
                   WHERE project_id = $1 AND done_at IS NOT NULL AND released_at IS NULL) AS "slots_done!"
           FROM tasks WHERE project_id = $1"#,
        project_id,
    )
    .fetch_one(db)
    .await?)
}
