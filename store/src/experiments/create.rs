//! Starting and stopping experiments.

use kenami_domain::{
    dataset::Manifest,
    run_config::RunConfig,
    schema::AttributeKind,
    view::{
        experiment::{ExperimentDetail, ExperimentInput, SEEDS},
        job::JobKind,
    },
};
use serde_json::json;
use sqlx::types::Json;

use super::read;
use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    jobs,
    rights::{self, Operation},
    runs::check_weights,
};

/// Starts an experiment: checks what it asks for, and queues the job that trains its runs.
///
/// # Errors
/// [`Error::Invalid`] for too few or too many seeds, a malformed configuration or a dataset that has nothing to compare,
/// [`Error::NotFound`] for an unknown dataset; rights; the database.
pub async fn create(actor: &Actor, db: &Db, project: &str, input: ExperimentInput) -> Result<ExperimentDetail> {
    let access = rights::require(actor, db, Operation::Train, project).await?;
    if !SEEDS.contains(&input.seeds) {
        return Err(Error::invalid("seeds", format!("must be {} to {}", SEEDS.start(), SEEDS.end())));
    }
    let config = RunConfig::from_toml(&input.config).map_err(|error| Error::invalid("config", error.to_string()))?;
    let mut tx = db.begin().await?;
    check_weights(&mut tx, access.project_id, &config.model.weights).await?;
    let dataset = sqlx::query!(
        r#"SELECT name, manifest AS "manifest: Json<Manifest>" FROM datasets WHERE id = $1 AND project_id = $2"#,
        input.dataset_id,
        access.project_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("dataset"))?;
    let has = |kind| dataset.manifest.schema.attributes.iter().any(|attribute| attribute.kind == kind);
    if !has(AttributeKind::Given) {
        let message = "it has no attribute that came with the photos: there is no baseline to compare labels with";
        return Err(Error::invalid("dataset_id", message.to_owned()));
    }
    if !has(AttributeKind::Annotated) {
        let message = "it has no annotated attribute: there are no labels that could pay";
        return Err(Error::invalid("dataset_id", message.to_owned()));
    }
    let id = sqlx::query_scalar!(
        "INSERT INTO experiments (project_id, dataset_id, input, created_by) VALUES ($1, $2, $3, $4) RETURNING id",
        access.project_id,
        input.dataset_id,
        Json(&input) as _,
        access.user_id,
    )
    .fetch_one(&mut *tx)
    .await?;
    let job_id = jobs::insert(&mut tx, &access, JobKind::Experiment, json!({ "experiment_id": id })).await?;
    sqlx::query!("UPDATE experiments SET job_id = $2 WHERE id = $1", id, job_id).execute(&mut *tx).await?;
    let details = json!({ "experiment": id, "dataset": dataset.name, "job": job_id });
    audit::record(&mut tx, &access, Operation::Train, details).await?;
    let detail = read::detail(&mut tx, access.project_id, id).await?;
    tx.commit().await?;
    Ok(detail)
}

/// Asks an experiment to stop; what has finished of it stays. One that has ended stays as it is.
///
/// # Errors
/// [`Error::NotFound`] for an unknown experiment; rights; the database.
pub async fn cancel(actor: &Actor, db: &Db, project: &str, id: i64) -> Result<()> {
    let access = rights::require(actor, db, Operation::Train, project).await?;
    let mut tx = db.begin().await?;
    let job =
        sqlx::query_scalar!("SELECT job_id FROM experiments WHERE id = $1 AND project_id = $2", id, access.project_id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NotFound("experiment"))?;
    if let Some(job) = job {
        jobs::cancel_in(&mut tx, &access, job).await?;
    }
    Ok(tx.commit().await?)
}
