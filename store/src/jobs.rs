//! Long work: queued in the database, claimed by workers under a lease, followed by pages.
//!
//! Each change of a job is announced on [`CHANNEL`], so that nobody needs to poll.

use std::time::Duration;

use kenami_domain::view::job::{Job, JobKind, JobState};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::{
    actor::{Actor, UserActor},
    audit,
    db::Db,
    error::{Error, Result},
    rights::{Access, Operation, require, require_of, require_server},
};

/// The channel (LISTEN) that carries a job's id, in decimal, each time it changes.
pub const CHANNEL: &str = "kenami_jobs";

/// What a job that its workers never finished failed of.
pub const INTERRUPTED: &str = "interrupted";

/// A job that a worker holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// Job id.
    pub id: i64,
    /// What to do.
    pub kind: JobKind,
    /// Key of its project.
    pub project_key: String,
    /// Id of its project.
    pub project_id: i64,
    /// Who asked for it: the work is done with this account's rights.
    pub created_by: Actor,
    /// What it needs to know; its shape depends on the kind.
    pub payload: Value,
    /// Times a worker took it up, this time included.
    pub attempts: i32,
}

/// What a worker learns from a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Somebody asked the job to stop.
    pub cancel_requested: bool,
    /// The job is no longer this worker's: stop without a trace.
    pub lost: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Well, with this result.
    Done(Value),
    /// By an error, told to people.
    Failed(String),
    /// By request.
    Cancelled,
}

/// A kind's name in the database.
fn kind_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Import => "import",
        JobKind::Export => "export",
        JobKind::Train => "train",
        JobKind::Predict => "predict",
        JobKind::Experiment => "experiment",
    }
}

fn parse_kind(name: &str) -> Result<JobKind> {
    [JobKind::Import, JobKind::Export, JobKind::Train, JobKind::Predict, JobKind::Experiment]
        .into_iter()
        .find(|kind| kind_name(*kind) == name)
        .ok_or_else(|| Error::internal(format!("unknown job kind {name}")))
}

pub(crate) fn parse_state(name: &str) -> Result<JobState> {
    Ok(match name {
        "queued" => JobState::Queued,
        "running" => JobState::Running,
        "done" => JobState::Done,
        "failed" => JobState::Failed,
        "cancelled" => JobState::Cancelled,
        other => return Err(Error::internal(format!("unknown job state {other}"))),
    })
}

/// What one must be allowed to do to have it done by a job.
fn operation_of(kind: JobKind) -> Operation {
    match kind {
        JobKind::Import => Operation::ImportPhotos,
        JobKind::Export => Operation::ExportDataset,
        JobKind::Train | JobKind::Predict | JobKind::Experiment => Operation::Train,
    }
}

/// Queues a job and returns its id.
///
/// # Errors
/// As [`require`] for the operation that the job carries out.
pub async fn create(actor: &Actor, db: &Db, key: &str, kind: JobKind, payload: Value) -> Result<i64> {
    let access = require(actor, db, operation_of(kind), key).await?;
    let mut tx = db.begin().await?;
    let id = insert(&mut tx, &access, kind, payload).await?;
    audit::record(&mut tx, access, operation_of(kind), json!({ "job": id })).await?;
    tx.commit().await?;
    Ok(id)
}

/// Queues a job in the caller's transaction, whose rights have been checked.
pub(crate) async fn insert(tx: &mut PgConnection, access: &Access, kind: JobKind, payload: Value) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "INSERT INTO jobs (kind, project_id, created_by, payload) VALUES ($1, $2, $3, $4) RETURNING id",
        kind_name(kind),
        access.project_id,
        access.user_id,
        payload,
    )
    .fetch_one(&mut *tx)
    .await?;
    notify(tx, id).await?;
    Ok(id)
}

/// Announces a change, at the transaction's commit.
pub(crate) async fn notify(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, id.to_string()).execute(tx).await?;
    Ok(())
}

/// A job as its columns have it.
struct Row {
    id: i64,
    kind: String,
    project_id: i64,
    state: String,
    progress_done: i64,
    progress_total: i64,
    message: String,
    error: Option<String>,
    result: Option<Value>,
    attempts: i32,
    cancel_requested: bool,
    created_by: String,
    created_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Job {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            kind: parse_kind(&row.kind)?,
            project_id: row.project_id,
            state: parse_state(&row.state)?,
            progress_done: row.progress_done,
            progress_total: row.progress_total,
            message: row.message,
            error: row.error,
            result: row.result,
            attempts: row.attempts,
            cancel_requested: row.cancel_requested,
            created_by: row.created_by,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// One job.
///
/// # Errors
/// [`Error::NotFound`] if there is none or it is of a project of which the actor may not know.
pub async fn get(actor: &Actor, db: &Db, id: i64) -> Result<Job> {
    require_of(actor, db, Operation::ReadJobs, project_of(db, id).await?, "job").await?;
    load(db, id).await?.ok_or(Error::NotFound("job"))
}

async fn project_of(db: &Db, id: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!("SELECT project_id FROM jobs WHERE id = $1", id).fetch_optional(db).await?)
}

/// One job, without a check of rights.
pub(crate) async fn load(db: impl PgExecutor<'_>, id: i64) -> Result<Option<Job>> {
    sqlx::query_as!(
        Row,
        "SELECT j.id, j.kind, j.project_id, j.state, j.progress_done, j.progress_total, j.message, j.error, j.result,
                j.attempts, j.cancel_requested, u.name AS created_by, j.created_at, j.finished_at
         FROM jobs j JOIN users u ON u.id = j.created_by WHERE j.id = $1",
        id,
    )
    .fetch_optional(db)
    .await?
    .map(Job::try_from)
    .transpose()
}

/// The project's last jobs, newest first: at most `limit` (1 to 200).
///
/// # Errors
/// As [`require`] for [`Operation::ReadJobs`].
pub async fn list(actor: &Actor, db: &Db, key: &str, limit: i64) -> Result<Vec<Job>> {
    let access = require(actor, db, Operation::ReadJobs, key).await?;
    sqlx::query_as!(
        Row,
        "SELECT j.id, j.kind, j.project_id, j.state, j.progress_done, j.progress_total, j.message, j.error, j.result,
                j.attempts, j.cancel_requested, u.name AS created_by, j.created_at, j.finished_at
         FROM jobs j JOIN users u ON u.id = j.created_by
         WHERE j.project_id = $1 ORDER BY j.id DESC LIMIT $2",
        access.project_id,
        limit.clamp(1, 200),
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Job::try_from)
    .collect()
}

/// Asks a job to stop. One that waits ends at once, one that runs when its worker hears of it; one that has ended stays as
/// it is.
///
/// # Errors
/// As [`get`], for [`Operation::CancelJob`].
pub async fn cancel(actor: &Actor, db: &Db, id: i64) -> Result<()> {
    let access = require_of(actor, db, Operation::CancelJob, project_of(db, id).await?, "job").await?;
    let mut tx = db.begin().await?;
    cancel_in(&mut tx, &access, id).await?;
    Ok(tx.commit().await?)
}

/// [`cancel`] in the caller's transaction, whose rights have been checked.
pub(crate) async fn cancel_in(tx: &mut PgConnection, access: &Access, id: i64) -> Result<()> {
    let changed = sqlx::query!(
        "UPDATE jobs SET cancel_requested = true,
                         state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
                         finished_at = CASE state WHEN 'queued' THEN now() ELSE finished_at END
         WHERE id = $1 AND state IN ('queued', 'running') AND NOT cancel_requested",
        id,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 1 {
        notify(tx, id).await?;
        audit::record(tx, access, Operation::CancelJob, json!({ "job": id })).await?;
    }
    Ok(())
}

/// Takes up the oldest job that waits, or whose worker has let its lease run out, for `lease`.
///
/// `worker` must be unique to a worker's process. A job that was taken up `max_attempts` times and never finished has failed
/// ([`INTERRUPTED`]); one that was to be cancelled is cancelled.
///
/// # Errors
/// As [`require_server`] for [`Operation::Work`].
pub async fn claim(
    actor: &Actor,
    db: &Db,
    worker: &str,
    lease: Duration,
    max_attempts: i32,
) -> Result<Option<ClaimedJob>> {
    require_server(actor, db, Operation::Work).await?;
    let mut tx = db.begin().await?;
    give_up(&mut tx, max_attempts).await?;
    // SKIP LOCKED: two workers that look at the same moment find two different jobs.
    let row = sqlx::query!(
        r#"WITH next AS (
               SELECT id FROM jobs
               WHERE state IN ('queued', 'running') AND (state = 'queued' OR lease_until < now())
               ORDER BY id FOR NO KEY UPDATE SKIP LOCKED LIMIT 1
           )
           UPDATE jobs j SET state = 'running', worker = $1, lease_until = now() + make_interval(secs => $2),
                             attempts = attempts + 1, started_at = coalesce(started_at, now())
           FROM next, projects p, users u
           WHERE j.id = next.id AND p.id = j.project_id AND u.id = j.created_by
           RETURNING j.id, j.kind, j.project_id, j.payload, j.attempts, p.key AS project_key,
                     u.id AS user_id, u.name AS user_name, u.administrator, u.built_in"#,
        worker,
        lease.as_secs_f64(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = &row {
        notify(&mut tx, row.id).await?;
    }
    tx.commit().await?;
    row.map(|row| {
        let user = UserActor { id: row.user_id, name: row.user_name, administrator: row.administrator };
        Ok(ClaimedJob {
            id: row.id,
            kind: parse_kind(&row.kind)?,
            project_key: row.project_key,
            project_id: row.project_id,
            created_by: if row.built_in { Actor::System } else { Actor::User(user) },
            payload: row.payload,
            attempts: row.attempts,
        })
    })
    .transpose()
}

/// Ends abandoned jobs that are not to be tried again.
async fn give_up(tx: &mut PgConnection, max_attempts: i32) -> Result<()> {
    let ended = sqlx::query_scalar!(
        "WITH abandoned AS (
             SELECT id FROM jobs
             WHERE state IN ('queued', 'running') AND state = 'running' AND lease_until < now()
               AND (cancel_requested OR attempts >= $1)
             ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
         )
         UPDATE jobs j SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END,
                           error = CASE WHEN cancel_requested THEN NULL ELSE $2 END,
                           worker = NULL, lease_until = NULL, finished_at = now()
         FROM abandoned a WHERE j.id = a.id RETURNING j.id",
        max_attempts,
        INTERRUPTED,
    )
    .fetch_all(&mut *tx)
    .await?;
    for id in ended {
        notify(tx, id).await?;
    }
    Ok(())
}

/// How far a job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobProgress<'a> {
    /// Steps done.
    pub done: i64,
    /// Steps in all; 0 while unknown.
    pub total: i64,
    /// What it is doing.
    pub message: &'a str,
}

/// Reports progress and holds the job for another `lease`.
///
/// # Errors
/// As [`require_server`] for [`Operation::Work`].
pub async fn heartbeat(
    actor: &Actor,
    db: &Db,
    id: i64,
    worker: &str,
    lease: Duration,
    progress: JobProgress<'_>,
) -> Result<Heartbeat> {
    require_server(actor, db, Operation::Work).await?;
    let mut tx = db.begin().await?;
    let cancel_requested = sqlx::query_scalar!(
        "UPDATE jobs SET progress_done = $4, progress_total = $5, message = $6,
                         lease_until = now() + make_interval(secs => $3)
         WHERE id = $1 AND worker = $2 AND state = 'running' RETURNING cancel_requested",
        id,
        worker,
        lease.as_secs_f64(),
        progress.done,
        progress.total,
        progress.message,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if cancel_requested.is_some() {
        notify(&mut tx, id).await?;
    }
    tx.commit().await?;
    Ok(Heartbeat { cancel_requested: cancel_requested.unwrap_or(false), lost: cancel_requested.is_none() })
}

/// Ends a job; false if it was no longer this worker's, and then nothing is changed.
///
/// # Errors
/// As [`require_server`] for [`Operation::Work`].
pub async fn finish(actor: &Actor, db: &Db, id: i64, worker: &str, outcome: Outcome) -> Result<bool> {
    require_server(actor, db, Operation::Work).await?;
    let (state, result, error) = match outcome {
        Outcome::Done(result) => ("done", Some(result), None),
        Outcome::Failed(error) => ("failed", None, Some(error)),
        Outcome::Cancelled => ("cancelled", None, None),
    };
    let mut tx = db.begin().await?;
    let changed = sqlx::query!(
        "UPDATE jobs SET state = $3, result = $4, error = $5, worker = NULL, lease_until = NULL, finished_at = now()
         WHERE id = $1 AND worker = $2 AND state = 'running'",
        id,
        worker,
        state,
        result,
        error,
    )
    .execute(&mut *tx)
    .await?;
    let ours = changed.rows_affected() == 1;
    if ours {
        notify(&mut tx, id).await?;
    }
    tx.commit().await?;
    Ok(ours)
}

/// Gives a worker's jobs back to the queue at an orderly shutdown, which does not count as an attempt; returns how many.
///
/// # Errors
/// As [`require_server`] for [`Operation::Work`].
pub async fn release(actor: &Actor, db: &Db, worker: &str) -> Result<usize> {
    require_server(actor, db, Operation::Work).await?;
    let mut tx = db.begin().await?;
    let released = sqlx::query_scalar!(
        "UPDATE jobs SET state = 'queued', worker = NULL, lease_until = NULL, attempts = attempts - 1
         WHERE worker = $1 AND state = 'running' RETURNING id",
        worker,
    )
    .fetch_all(&mut *tx)
    .await?;
    for id in &released {
        notify(&mut tx, *id).await?;
    }
    tx.commit().await?;
    Ok(released.len())
}
