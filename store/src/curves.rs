//! A run's curves as its job goes on, for those who follow the job.

use kenami_domain::view::run::CurvePoint;

use crate::{
    actor::Actor,
    db::Db,
    error::Result,
    rights::{Operation, require_of},
};

/// The curves so far of the run that job `job_id` trains, by epoch; none if the job trains no run.
///
/// # Errors
/// As [`require_of`] for [`Operation::ReadDatasets`].
pub async fn of_job(actor: &Actor, db: &Db, job_id: i64) -> Result<Vec<CurvePoint>> {
    let project_id =
        sqlx::query_scalar!("SELECT project_id FROM jobs WHERE id = $1", job_id).fetch_optional(db).await?;
    require_of(actor, db, Operation::ReadDatasets, project_id, "job").await?;
    Ok(sqlx::query_as!(
        CurvePoint,
        "SELECT c.epoch, c.split, c.series, c.value FROM run_curves c JOIN runs r ON r.id = c.run_id
         WHERE r.job_id = $1 ORDER BY c.epoch, c.series, c.split",
        job_id,
    )
    .fetch_all(db)
    .await?)
}
