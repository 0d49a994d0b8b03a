//! Active learning: freeze, train, and let the queue follow what the model doubts; again and again.

use std::collections::HashMap;

use kenami_domain::{
    dataset::Policy,
    run_config::RunConfig,
    view::{
        dataset::FreezeInput,
        rounds::{Round, RoundInput, Rounds},
        run::{RunDetail, RunRow, TrainInput},
    },
};
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    datasets,
    db::Db,
    error::{Error, Result},
    projects,
    rights::{self, Operation},
    runs,
};

/// What names of a round's dataset and run begin with.
const NAME: &str = "round";

/// Where the loop stands: each run with the labels that had been given when its dataset was frozen.
///
/// # Errors
/// Rights; the database.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Rounds> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let mut runs = runs::list(actor, db, project).await?;
    runs.reverse();
    let mut connection = db.acquire().await?;
    let labels = labels_at_freeze(&mut connection, access.project_id).await?;
    let newest = runs.last().map(|run| (run.id, run.dataset_id)).unzip();
    let state = sqlx::query!(
        r#"SELECT p.queue_order,
                  (SELECT count(*) FROM tasks t WHERE t.project_id = p.id AND t.taken < t.needed) AS "open!",
                  (SELECT count(*) FROM labels l WHERE l.project_id = p.id AND l.superseded_at IS NULL AND NOT l.gold
                     AND l.created_at > coalesce((SELECT d.created_at FROM datasets d WHERE d.id = $2), '-infinity'))
                      AS "fresh!",
                  (SELECT r.config FROM runs r WHERE r.id = $3) AS config
           FROM projects p WHERE p.id = $1"#,
        access.project_id,
        newest.1,
        newest.0,
    )
    .fetch_one(&mut *connection)
    .await?;
    let round = |run: RunRow| {
        let labels = labels.get(&run.dataset_id).copied().unwrap_or(0);
        Round { run, labels }
    };
    Ok(Rounds {
        order: state.queue_order.parse().map_err(Error::internal)?,
        rounds: runs.into_iter().map(round).collect(),
        fresh: state.fresh,
        open: state.open,
        config: state.config,
    })
}

/// Labels that stood when each dataset with a run was frozen.
async fn labels_at_freeze(connection: &mut PgConnection, project_id: i64) -> Result<HashMap<i64, i64>> {
    let rows = sqlx::query!(
        r#"SELECT d.id, n.labels AS "labels!"
           FROM datasets d CROSS JOIN LATERAL (
               SELECT count(*) AS labels FROM labels l
               WHERE l.project_id = $1 AND NOT l.gold AND l.created_at <= d.created_at
                 AND (l.superseded_at IS NULL OR l.superseded_at > d.created_at)
           ) n
           WHERE d.project_id = $1 AND EXISTS (SELECT 1 FROM runs r WHERE r.dataset_id = d.id)"#,
        project_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.labels)).collect())
}

/// Begins a round: the queue is to follow the model's doubt, the labels so far are frozen, and a run is trained on them. When it
/// has finished, the photos that it doubts most come first.
///
/// # Errors
/// [`Error::Invalid`] for an order that follows no model or a malformed configuration; [`Error::Conflict`] where nothing has
/// been answered since the newest run's dataset was frozen and that run had the same configuration; rights; the database.
pub async fn begin(actor: &Actor, db: &Db, project: &str, input: RoundInput) -> Result<RunDetail> {
    rights::require(actor, db, Operation::Train, project).await?;
    if !input.order.follows_model() {
        let message = "choose an order that follows the model: entropy, margin or disagreement";
        return Err(Error::invalid("order", message));
    }
    // Before anything is frozen.
    let config = RunConfig::from_toml(&input.config).map_err(|error| Error::invalid("config", error.to_string()))?;
    let now = list(actor, db, project).await?;
    if now.would_repeat(&config) {
        let message = "nothing has been answered since the last round: its model would say the same";
        return Err(Error::Conflict(message.to_owned()));
    }
    let mut settings = projects::settings(actor, db, project).await?;
    if settings.queue_order != input.order {
        settings.queue_order = input.order;
        projects::update(actor, db, project, settings).await?;
    }
    let name = free_name(actor, db, project).await?;
    let freeze = FreezeInput { name: name.clone(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 };
    let dataset = datasets::freeze(actor, db, project, freeze).await?;
    let train = TrainInput { dataset_id: dataset.id, name, config: input.config };
    runs::create(actor, db, project, train).await
}

/// `round-N` with the first number that neither a dataset nor a run has.
async fn free_name(actor: &Actor, db: &Db, project: &str) -> Result<String> {
    let datasets = datasets::list(actor, db, project).await?;
    let runs = runs::list(actor, db, project).await?;
    let is_taken = |name: &String| {
        datasets.iter().any(|dataset| dataset.name == *name) || runs.iter().any(|run| run.name == *name)
    };
    let mut names = (1..).map(|number| format!("{NAME}-{number}"));
    names.find(|name| !is_taken(name)).ok_or_else(|| Error::internal("there is no free number"))
}
