//! What workers need and report.

use kenami_domain::{experiment::Results, view::experiment::ExperimentInput};
use sqlx::types::Json;

use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    jobs,
    rights::{self, Operation},
};

/// What a worker needs to run an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentToRun {
    /// Its id.
    pub id: i64,
    /// The project's key.
    pub project_key: String,
    /// The dataset's name.
    pub dataset_name: String,
    /// What was asked for.
    pub input: ExperimentInput,
}

/// What a worker needs to run experiment `id`.
///
/// # Errors
/// [`Error::NotFound`] for an unknown experiment; rights; the database.
pub async fn to_run(actor: &Actor, db: &Db, id: i64) -> Result<ExperimentToRun> {
    rights::require_server(actor, db, Operation::Work).await?;
    let row = sqlx::query!(
        r#"SELECT p.key, d.name, e.input AS "input: Json<ExperimentInput>"
           FROM experiments e JOIN projects p ON p.id = e.project_id JOIN datasets d ON d.id = e.dataset_id
           WHERE e.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("experiment"))?;
    Ok(ExperimentToRun { id, project_key: row.key, dataset_name: row.name, input: row.input.0 })
}

/// Stores the results so far, in place of earlier ones. Those who follow the experiment's job hear of it.
///
/// # Errors
/// [`Error::NotFound`] for an unknown experiment; rights; the database.
pub async fn report(actor: &Actor, db: &Db, id: i64, results: &Results) -> Result<()> {
    rights::require_server(actor, db, Operation::Work).await?;
    let mut tx = db.begin().await?;
    let job_id = sqlx::query_scalar!(
        "UPDATE experiments SET results = $2 WHERE id = $1 RETURNING job_id",
        id,
        Json(results) as _
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("experiment"))?;
    if let Some(job_id) = job_id {
        jobs::notify(&mut tx, job_id).await?;
    }
    Ok(tx.commit().await?)
}
