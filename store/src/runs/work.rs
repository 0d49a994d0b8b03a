//! What workers need and report.

use std::collections::{BTreeMap, BTreeSet};

use kenami_domain::view::run::CurvePoint;
use serde_json::Value;

use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    jobs, queue,
    rights::{self, Operation},
};

/// What a worker needs to train a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunForTraining {
    /// Run id.
    pub run_id: i64,
    /// Run name.
    pub name: String,
    /// The project's id.
    pub project_id: i64,
    /// The project's key.
    pub project_key: String,
    /// The dataset's id.
    pub dataset_id: i64,
    /// The dataset's name.
    pub dataset_name: String,
    /// The configuration as it was given (TOML).
    pub config: String,
}

/// A run's distribution for one photo and attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The photo's line of items.jsonl, from 0.
    pub position: i32,
    /// Attribute key.
    pub attribute: String,
    /// Value key, or `not_visible`, to probability.
    pub distribution: BTreeMap<String, f64>,
}

/// What a worker needs to train `run_id`.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn training(actor: &Actor, db: &Db, run_id: i64) -> Result<RunForTraining> {
    rights::require_server(actor, db, Operation::Work).await?;
    sqlx::query_as!(
        RunForTraining,
        "SELECT r.id AS run_id, r.name, r.project_id, p.key AS project_key, r.dataset_id, d.name AS dataset_name, r.config
         FROM runs r JOIN projects p ON p.id = r.project_id JOIN datasets d ON d.id = r.dataset_id
         WHERE r.id = $1",
        run_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("run"))
}

/// Adds points to the run's curves; a point that is there already is replaced, as a resumed run repeats its last epoch.
/// Those who follow the run's job hear of it.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn add_curves(actor: &Actor, db: &Db, run_id: i64, points: &[CurvePoint]) -> Result<()> {
    rights::require_server(actor, db, Operation::Work).await?;
    let job_id = sqlx::query_scalar!("SELECT job_id FROM runs WHERE id = $1", run_id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))?;
    // Of a point that comes twice in one call the last one counts: one statement must not touch a row twice.
    let last: BTreeMap<(&str, &str, i32), f64> =
        points.iter().map(|point| ((point.series.as_str(), point.split.as_str(), point.epoch), point.value)).collect();
    let series: Vec<String> = last.keys().map(|(series, _, _)| (*series).to_owned()).collect();
    let splits: Vec<String> = last.keys().map(|(_, split, _)| (*split).to_owned()).collect();
    let epochs: Vec<i32> = last.keys().map(|(_, _, epoch)| *epoch).collect();
    let values: Vec<f64> = last.values().copied().collect();
    let mut tx = db.begin().await?;
    sqlx::query!(
        "INSERT INTO run_curves (run_id, series, split, epoch, value)
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::integer[], $5::double precision[])
         ON CONFLICT (run_id, series, split, epoch) DO UPDATE SET value = EXCLUDED.value",
        run_id,
        &series,
        &splits,
        &epochs,
        &values,
    )
    .execute(&mut *tx)
    .await?;
    if let Some(job_id) = job_id {
        jobs::notify(&mut tx, job_id).await?;
    }
    Ok(tx.commit().await?)
}

/// Stores a run's results: metrics.json, and the key of its folder in the object store. The queue follows its predictions,
/// which have been stored before, where the project wants that.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn finish(actor: &Actor, db: &Db, run_id: i64, metrics: Value, artifacts: &str) -> Result<()> {
    rights::require_server(actor, db, Operation::Work).await?;
    let project_id = sqlx::query_scalar!(
        "UPDATE runs SET metrics = $2, artifacts = $3, finished_at = now() WHERE id = $1 RETURNING project_id",
        run_id,
        metrics,
        artifacts,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("run"))?;
    // The run is there whatever becomes of the queue.
    if let Err(error) = queue::run_finished(db, project_id).await {
        tracing::error!("the queue does not follow run {run_id}: {error}");
    }
    Ok(())
}

/// Stores predictions; earlier ones of the same photo and attribute are replaced. Give them in batches of some thousands.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run, [`Error::Invalid`] for a position or attribute that its dataset lacks, or one
/// that comes twice; rights; the database.
pub async fn store_predictions(actor: &Actor, db: &Db, run_id: i64, predictions: &[Prediction]) -> Result<()> {
    rights::require_server(actor, db, Operation::Work).await?;
    let (photo_ids, attribute_ids, distributions) = columns(db, run_id, predictions).await?;
    sqlx::query!(
        "INSERT INTO run_predictions (run_id, photo_id, attribute_id, distribution)
         SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::jsonb[])
         ON CONFLICT (run_id, photo_id, attribute_id) DO UPDATE SET distribution = EXCLUDED.distribution",
        run_id,
        &photo_ids,
        &attribute_ids,
        &distributions,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores, beside predictions that are there, what models say that have not seen the photos: those of a run's folds.
///
/// # Errors
/// As [`store_predictions`], and [`Error::Invalid`] where a photo and attribute have no prediction yet.
pub async fn store_held_out(actor: &Actor, db: &Db, run_id: i64, predictions: &[Prediction]) -> Result<()> {
    rights::require_server(actor, db, Operation::Work).await?;
    let (photo_ids, attribute_ids, distributions) = columns(db, run_id, predictions).await?;
    let mut tx = db.begin().await?;
    let stored = sqlx::query!(
        "UPDATE run_predictions r SET held_out = n.distribution
         FROM unnest($2::bigint[], $3::bigint[], $4::jsonb[]) AS n (photo_id, attribute_id, distribution)
         WHERE r.run_id = $1 AND r.photo_id = n.photo_id AND r.attribute_id = n.attribute_id",
        run_id,
        &photo_ids,
        &attribute_ids,
        &distributions,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if stored < predictions.len() as u64 {
        return Err(Error::invalid("predictions", "one of a photo and attribute that have no prediction yet"));
    }
    Ok(tx.commit().await?)
}

/// Predictions by ids: photos, attributes, distributions.
async fn columns(db: &Db, run_id: i64, predictions: &[Prediction]) -> Result<(Vec<i64>, Vec<i64>, Vec<Value>)> {
    let distinct: BTreeSet<(i32, &str)> =
        predictions.iter().map(|prediction| (prediction.position, prediction.attribute.as_str())).collect();
    if distinct.len() < predictions.len() {
        return Err(Error::invalid("predictions", "two of the same photo and attribute"));
    }
    let run = sqlx::query!("SELECT project_id, dataset_id FROM runs WHERE id = $1", run_id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))?;
    let positions: Vec<i32> = predictions.iter().map(|prediction| prediction.position).collect();
    let attributes: Vec<String> = predictions.iter().map(|prediction| prediction.attribute.clone()).collect();
    let ids = sqlx::query!(
        "SELECT i.photo_id, a.id AS attribute_id
         FROM unnest($3::integer[], $4::text[]) WITH ORDINALITY AS p (position, attribute, place)
         JOIN dataset_items i ON i.dataset_id = $2 AND i.position = p.position
         JOIN attributes a ON a.project_id = $1 AND a.key = p.attribute
         ORDER BY p.place",
        run.project_id,
        run.dataset_id,
        &positions,
        &attributes,
    )
    .fetch_all(db)
    .await?;
    if ids.len() < predictions.len() {
        return Err(Error::invalid("predictions", "a position or attribute that the run's dataset does not have"));
    }
    let distributions: Result<Vec<Value>, serde_json::Error> =
        predictions.iter().map(|prediction| serde_json::to_value(&prediction.distribution)).collect();
    let (photos, attributes) = ids.into_iter().map(|row| (row.photo_id, row.attribute_id)).unzip();
    Ok((photos, attributes, distributions?))
}
