//! Reading runs.

use std::collections::BTreeMap;

use kenami_domain::view::{
    job::JobState,
    run::{CurvePoint, RunDetail, RunRow},
};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;

use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    jobs,
    rights::{self, Operation},
};

/// A row as the database has it.
struct Row {
    id: i64,
    name: String,
    dataset_id: i64,
    dataset: String,
    state: Option<String>,
    accuracy: Option<Json<BTreeMap<String, f64>>>,
    created_by: String,
    created_at: OffsetDateTime,
    finished: bool,
}

impl TryFrom<Row> for RunRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = match row.state {
            Some(state) => jobs::parse_state(&state)?,
            None if row.finished => JobState::Done,
            None => JobState::Queued,
        };
        Ok(Self {
            id: row.id,
            name: row.name,
            dataset_id: row.dataset_id,
            dataset: row.dataset,
            state,
            accuracy: row.accuracy.map(|accuracy| accuracy.0).unwrap_or_default(),
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

/// All runs of a project, newest first.
///
/// # Errors
/// Rights; the database.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Vec<RunRow>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    rows(&mut *db.acquire().await?, access.project_id, None).await
}

/// Runs of a project, newest first; one alone where `run_id` is given.
async fn rows(connection: &mut PgConnection, project_id: i64, run_id: Option<i64>) -> Result<Vec<RunRow>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.name, r.dataset_id, d.name AS dataset, j.state AS "state?", u.name AS created_by, r.created_at,
                  r.finished_at IS NOT NULL AS "finished!",
                  (SELECT jsonb_object_agg(h.key, h.value -> 'test' -> 'accuracy')
                   FROM jsonb_each(r.metrics -> 'heads') h
                   WHERE jsonb_typeof(h.value -> 'test' -> 'accuracy') = 'number')
                      AS "accuracy?: Json<BTreeMap<String, f64>>"
           FROM runs r JOIN datasets d ON d.id = r.dataset_id JOIN users u ON u.id = r.created_by
           LEFT JOIN jobs j ON j.id = r.job_id
           WHERE r.project_id = $1 AND ($2::bigint IS NULL OR r.id = $2)
           ORDER BY r.id DESC"#,
        project_id,
        run_id,
    );
    rows.fetch_all(connection).await?.into_iter().map(RunRow::try_from).collect()
}

/// One run with its job, configuration, results and curves.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn get(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<RunDetail> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    detail(&mut *db.acquire().await?, access.project_id, run_id).await
}

/// [`get`] without a check of rights.
pub(super) async fn detail(connection: &mut PgConnection, project_id: i64, run_id: i64) -> Result<RunDetail> {
    let row = rows(connection, project_id, Some(run_id)).await?.pop().ok_or(Error::NotFound("run"))?;
    let stored = sqlx::query!("SELECT job_id, config, metrics FROM runs WHERE id = $1", run_id)
        .fetch_one(&mut *connection)
        .await?;
    let job = match stored.job_id {
        Some(job) => jobs::load(&mut *connection, job).await?,
        None => None,
    };
    let curves = sqlx::query_as!(
        CurvePoint,
        "SELECT epoch, split, series, value FROM run_curves WHERE run_id = $1 ORDER BY series, split, epoch",
        run_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(RunDetail { row, job, config: stored.config, metrics: stored.metrics, curves })
}

/// Key of the run's folder in the object store; nothing until it has finished.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn artifacts(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<Option<String>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    sqlx::query_scalar!("SELECT artifacts FROM runs WHERE id = $1 AND project_id = $2", run_id, access.project_id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))
}

/// Key in the object store of a file of a finished run, by its path in the run's folder.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run, or where it has no such file; rights; the database.
pub async fn file(actor: &Actor, db: &Db, project: &str, run_id: i64, file: &str) -> Result<String> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let row = sqlx::query!(
        r#"SELECT artifacts, coalesce(metrics->'files' ? $3, false) AS "listed!" FROM runs WHERE id = $1 AND project_id = $2"#,
        run_id,
        access.project_id,
        file,
    );
    let row = row.fetch_optional(db).await?.ok_or(Error::NotFound("run"))?;
    // Runs from before there were lists have these.
    let is_there = row.listed || RUN_FILES.contains(&file);
    row.artifacts.filter(|_| is_there).map(|folder| format!("{folder}/{file}")).ok_or(Error::NotFound("file"))
}

/// Files that every finished run has.
pub const RUN_FILES: [&str; 5] = ["metrics.json", "predictions.csv", "config.toml", "curves.csv", "model.safetensors"];

/// A run's id by its name.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn find(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<i64> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    sqlx::query_scalar!("SELECT id FROM runs WHERE project_id = $1 AND name = $2", access.project_id, name)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))
}
