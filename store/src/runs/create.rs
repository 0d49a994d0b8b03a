//! Starting and stopping runs.

use kenami_domain::{
    run_config::{ALLOWED_HUB_MODELS, RunConfig, WeightsKind, weights_kind},
    view::{
        job::JobKind,
        run::{RunDetail, TrainInput},
    },
};
use serde_json::json;
use sqlx::PgConnection;

use super::read;
use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    jobs,
    rights::{self, Access, Operation},
};

/// The most characters of a run's name.
const MAX_NAME: usize = 100;

/// Starts a run: checks its configuration, and queues the job that trains it.
///
/// Weights are the demo's, none, a run's of this project or a hub name; never a path, since whoever trains through the
/// server must not choose files on it.
///
/// # Errors
/// [`Error::Invalid`] for a malformed name or configuration, [`Error::Conflict`] if the name is taken,
/// [`Error::NotFound`] for an unknown dataset; rights; the database.
pub async fn create(actor: &Actor, db: &Db, project: &str, input: TrainInput) -> Result<RunDetail> {
    let access = rights::require(actor, db, Operation::Train, project).await?;
    let config = RunConfig::from_toml(&input.config).map_err(|error| Error::invalid("config", error.to_string()))?;
    let mut tx = db.begin().await?;
    check_weights(&mut tx, access.project_id, &config.model.weights).await?;
    // Locked, so that two runs that want a name made for them get different ones.
    let dataset = sqlx::query_scalar!(
        "SELECT name FROM datasets WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE",
        input.dataset_id,
        access.project_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("dataset"))?;
    let name = name(&mut tx, access.project_id, input.name.trim(), &dataset).await?;
    let run_id = insert(&mut tx, &access, &input, &name).await?;
    let job_id = jobs::insert(&mut tx, &access, JobKind::Train, json!({ "run_id": run_id })).await?;
    sqlx::query!("UPDATE runs SET job_id = $2 WHERE id = $1", run_id, job_id).execute(&mut *tx).await?;
    let details = json!({ "run": name, "dataset": dataset, "job": job_id });
    audit::record(&mut tx, &access, Operation::Train, details).await?;
    let detail = read::detail(&mut tx, access.project_id, run_id).await?;
    tx.commit().await?;
    Ok(detail)
}

/// Weights are the demo's, none, a finished run's of the project or a known model of the hub.
pub(crate) async fn check_weights(connection: &mut PgConnection, project_id: i64, weights: &str) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("config", format!("model.weights: {message}")));
    match weights_kind(weights) {
        WeightsKind::None | WeightsKind::Demo => Ok(()),
        WeightsKind::Hub(name) if ALLOWED_HUB_MODELS.contains(&name) => Ok(()),
        WeightsKind::Hub(name) => {
            let known = ALLOWED_HUB_MODELS.join(", ");
            invalid(format!("the hub's model `{name}` is not on the list of this server: {known}"))
        }
        WeightsKind::Path(_) => {
            invalid("a file of the server cannot be chosen here: give demo, none, run:ID or a hub name".to_owned())
        }
        WeightsKind::Run(run) => {
            let id = run.parse::<i64>().ok();
            let known = sqlx::query_scalar!(
                "SELECT id FROM runs WHERE id = $1 AND project_id = $2 AND artifacts IS NOT NULL",
                id,
                project_id,
            );
            match known.fetch_optional(connection).await? {
                Some(_) => Ok(()),
                None => invalid(format!("this project has no finished run {run}")),
            }
        }
    }
}

/// The name that was asked for, or the dataset's with the first free number.
async fn name(connection: &mut PgConnection, project_id: i64, wanted: &str, dataset: &str) -> Result<String> {
    if !wanted.is_empty() {
        if wanted.chars().count() <= MAX_NAME && !wanted.chars().any(char::is_control) {
            return Ok(wanted.to_owned());
        }
        let message = format!("at most {MAX_NAME} characters, on one line");
        return Err(Error::invalid("name", message));
    }
    Ok(sqlx::query_scalar!(
        r#"SELECT $2 || '-' || n AS "name!"
           FROM generate_series(1, 1 + (SELECT count(*) FROM runs WHERE project_id = $1)) n
           WHERE NOT EXISTS (SELECT 1 FROM runs WHERE project_id = $1 AND name = $2 || '-' || n)
           ORDER BY n LIMIT 1"#,
        project_id,
        dataset,
    )
    .fetch_one(connection)
    .await?)
}

async fn insert(connection: &mut PgConnection, access: &Access, input: &TrainInput, name: &str) -> Result<i64> {
    sqlx::query_scalar!(
        "INSERT INTO runs (project_id, dataset_id, name, config, created_by) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        access.project_id,
        input.dataset_id,
        name,
        input.config,
        access.user_id,
    )
    .fetch_one(connection)
    .await
    .map_err(|error| {
        if Error::is_unique_violation(&error, "runs_project_id_name_key") {
            Error::Conflict(format!("there is a run `{name}` already: choose another name"))
        } else {
            error.into()
        }
    })
}

/// Asks a run's job to stop. A run that has ended stays as it is.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn cancel(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<()> {
    let access = rights::require(actor, db, Operation::Train, project).await?;
    let mut tx = db.begin().await?;
    let job =
        sqlx::query_scalar!("SELECT job_id FROM runs WHERE id = $1 AND project_id = $2", run_id, access.project_id,)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NotFound("run"))?;
    if let Some(job) = job {
        jobs::cancel_in(&mut tx, &access, job).await?;
    }
    Ok(tx.commit().await?)
}
