//! Reading experiments.

use kenami_domain::{
    experiment::Results,
    view::{
        experiment::{ExperimentDetail, ExperimentInput, ExperimentRow},
        job::JobState,
    },
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
    dataset_id: i64,
    dataset: String,
    state: Option<String>,
    created_by: String,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for ExperimentRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            dataset_id: row.dataset_id,
            dataset: row.dataset,
            state: row.state.as_deref().map_or(Ok(JobState::Queued), jobs::parse_state)?,
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

/// All experiments of a project, newest first.
///
/// # Errors
/// Rights; the database.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Vec<ExperimentRow>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    rows(&mut *db.acquire().await?, access.project_id, None).await
}

/// Experiments of a project, newest first; one alone where `id` is given.
async fn rows(connection: &mut PgConnection, project_id: i64, id: Option<i64>) -> Result<Vec<ExperimentRow>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.id, e.dataset_id, d.name AS dataset, j.state AS "state?", u.name AS created_by, e.created_at
           FROM experiments e JOIN datasets d ON d.id = e.dataset_id JOIN users u ON u.id = e.created_by
           LEFT JOIN jobs j ON j.id = e.job_id
           WHERE e.project_id = $1 AND ($2::bigint IS NULL OR e.id = $2)
           ORDER BY e.id DESC"#,
        project_id,
        id,
    );
    rows.fetch_all(connection).await?.into_iter().map(ExperimentRow::try_from).collect()
}

/// One experiment with its job and its results so far.
///
/// # Errors
/// [`Error::NotFound`] for an unknown experiment; rights; the database.
pub async fn get(actor: &Actor, db: &Db, project: &str, id: i64) -> Result<ExperimentDetail> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    detail(&mut *db.acquire().await?, access.project_id, id).await
}

/// [`get`] without a check of rights.
pub(super) async fn detail(connection: &mut PgConnection, project_id: i64, id: i64) -> Result<ExperimentDetail> {
    let row = rows(connection, project_id, Some(id)).await?.pop().ok_or(Error::NotFound("experiment"))?;
    let stored = sqlx::query!(
        r#"SELECT job_id, input AS "input: Json<ExperimentInput>", results AS "results?: Json<Results>"
           FROM experiments WHERE id = $1"#,
        id,
    )
    .fetch_one(&mut *connection)
    .await?;
    let job = match stored.job_id {
        Some(job) => jobs::load(connection, job).await?,
        None => None,
    };
    Ok(ExperimentDetail { row, job, input: stored.input.0, results: stored.results.map(|results| results.0) })
}
