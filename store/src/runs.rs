//! Training runs: started by leads, carried out by workers, read by reviewers.

mod results;

use std::collections::BTreeMap;

use kenami_domain::{
    metrics::Metrics,
    run_config::{RunConfig, WeightsKind, weights_kind},
    view::{
        job::{JobKind, JobState},
        run::{CurvePoint, RunDetail, RunRow, TrainInput},
    },
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    jobs,
    rights::{self, Access, Operation},
};

pub use results::{
    MistakeFilter, Prediction, RunForTraining, add_curves, finish, mistakes, store_predictions, training,
};

/// Starts a run on a dataset: validates its configuration and queues its job.
///
/// # Errors
/// [`Error::Invalid`] of `config` with the line of the mistake, or of `name`; [`Error::NotFound`] if the project has no
/// such dataset; [`Error::Conflict`] if it has a run of that name; rights; the database.
pub async fn create(actor: &Actor, db: &Db, project: &str, input: TrainInput) -> Result<RunDetail> {
    let access = rights::require(actor, db, Operation::Train, project).await?;
    check_config(&input.config)?;
    let mut tx = db.begin().await?;
    let dataset = sqlx::query_scalar!(
        "SELECT name FROM datasets WHERE id = $1 AND project_id = $2 FOR UPDATE",
        input.dataset_id,
        access.project_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("dataset"))?;
    let name = match input.name.trim() {
        "" => free_name(&mut tx, access.project_id, &dataset).await?,
        name if name.chars().count() <= 100 && !name.chars().any(char::is_control) => name.to_owned(),
        _ => return Err(Error::invalid("name", "at most 100 characters")),
    };
    let id = sqlx::query_scalar!(
        "INSERT INTO runs (project_id, dataset_id, name, config, created_by) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        access.project_id,
        input.dataset_id,
        name,
        input.config,
        access.user_id,
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(|error| match Error::is_unique_violation(&error, "runs_project_id_name_key") {
        true => Error::Conflict(format!("the project has a run `{name}` already: choose another name")),
        false => error.into(),
    })?;
    let job = jobs::insert(&mut tx, &access, JobKind::Train, json!({ "run_id": id })).await?;
    sqlx::query!("UPDATE runs SET job_id = $2 WHERE id = $1", id, job).execute(&mut *tx).await?;
    audit::record(&mut tx, access, Operation::Train, json!({ "run": name, "dataset": dataset })).await?;
    tx.commit().await?;
    detail(db, &access, id).await
}

/// A configuration that came by the network may not name a file of the server's.
fn check_config(text: &str) -> Result<()> {
    let config = RunConfig::from_toml(text).map_err(|error| Error::invalid("config", error.to_string()))?;
    match weights_kind(&config.model.weights) {
        WeightsKind::Path(_) => Err(Error::invalid(
            "config",
            "model.weights: a page cannot name a file; choose \"demo\", \"none\", \"run:NUMBER\" or a model of the hub",
        )),
        _ => Ok(()),
    }
}

/// The first of `dataset-1`, `dataset-2`, ... that no run has.
async fn free_name(tx: &mut PgConnection, project_id: i64, dataset: &str) -> Result<String> {
    let taken = sqlx::query_scalar!("SELECT name FROM runs WHERE project_id = $1", project_id).fetch_all(tx).await?;
    (1..)
        .map(|number| format!("{dataset}-{number}"))
        .find(|name| !taken.contains(name))
        .ok_or_else(|| Error::internal("no free name"))
}

/// A run as its columns have it.
struct Row {
    id: i64,
    name: String,
    dataset_id: i64,
    dataset: String,
    state: Option<String>,
    metrics: Option<Value>,
    created_by: String,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for RunRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            dataset_id: row.dataset_id,
            dataset: row.dataset,
            state: row.state.as_deref().map_or(Ok(JobState::Done), jobs::parse_state)?,
            accuracy: row.metrics.map_or_else(BTreeMap::new, test_accuracy),
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

/// Test accuracy per head; of an older shape of metrics, what can still be read.
fn test_accuracy(metrics: Value) -> BTreeMap<String, f64> {
    let Ok(metrics) = serde_json::from_value::<Metrics>(metrics) else { return BTreeMap::new() };
    metrics
        .heads
        .into_iter()
        .filter_map(|(head, splits)| Some((head, splits.get("test").or_else(|| splits.get("validation"))?.accuracy)))
        .collect()
}

async fn rows(db: &Db, project_id: i64, id: Option<i64>) -> Result<Vec<RunRow>> {
    sqlx::query_as!(
        Row,
        r#"SELECT r.id, r.name, r.dataset_id, d.name AS dataset, j.state AS "state?", r.metrics, u.name AS created_by,
                  r.created_at
           FROM runs r JOIN datasets d ON d.id = r.dataset_id JOIN users u ON u.id = r.created_by
           LEFT JOIN jobs j ON j.id = r.job_id
           WHERE r.project_id = $1 AND ($2::bigint IS NULL OR r.id = $2)
           ORDER BY r.id DESC"#,
        project_id,
        id,
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(RunRow::try_from)
    .collect()
}

/// Runs, newest first.
///
/// # Errors
/// Rights; the database.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Vec<RunRow>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    rows(db, access.project_id, None).await
}

/// One run with its job, configuration, metrics and curves.
///
/// # Errors
/// [`Error::NotFound`] if the project has no such run; rights; the database.
pub async fn get(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<RunDetail> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    detail(db, &access, run_id).await
}

async fn detail(db: &Db, access: &Access, run_id: i64) -> Result<RunDetail> {
    let row = rows(db, access.project_id, Some(run_id)).await?.pop().ok_or(Error::NotFound("run"))?;
    let stored =
        sqlx::query!("SELECT config, metrics, job_id FROM runs WHERE id = $1", run_id).fetch_one(db).await?;
    let job = match stored.job_id {
        Some(job) => jobs::load(&mut *db.acquire().await?, job).await?,
        None => None,
    };
    let curves = sqlx::query_as!(
        CurvePoint,
        "SELECT epoch, split, series, value FROM run_curves WHERE run_id = $1 ORDER BY epoch, series, split",
        run_id,
    )
    .fetch_all(db)
    .await?;
    Ok(RunDetail { row, job, config: stored.config, metrics: stored.metrics, curves })
}

/// Key of the run's folder in the object store, once finished.
///
/// # Errors
/// [`Error::NotFound`] if the project has no such run; rights; the database.
pub async fn artifacts(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<Option<String>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    sqlx::query_scalar!("SELECT artifacts FROM runs WHERE id = $1 AND project_id = $2", run_id, access.project_id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))
}

/// The id of the run of this name.
///
/// # Errors
/// [`Error::NotFound`] if the project has none; rights; the database.
pub async fn find(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<i64> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    sqlx::query_scalar!("SELECT id FROM runs WHERE project_id = $1 AND name = $2", access.project_id, name)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))
}

/// Asks the run's job to stop.
///
/// # Errors
/// [`Error::NotFound`] if the project has no such run; rights; the database.
pub async fn cancel(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<()> {
    let access = rights::require(actor, db, Operation::Train, project).await?;
    let job = sqlx::query_scalar!(
        r#"SELECT job_id AS "job_id!" FROM runs WHERE id = $1 AND project_id = $2 AND job_id IS NOT NULL"#,
        run_id,
        access.project_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("run"))?;
    jobs::cancel(actor, db, job).await?;
    Ok(())
}
