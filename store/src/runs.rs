// NOTE: the lead writes this file now (since 10:16); helper B: leave it, do labels and review.
//! Training runs.

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::Split,
    view::{
        Page,
        run::{CurvePoint, Mistake, RunDetail, RunRow, TrainInput},
    },
};

use crate::{actor::Actor, db::Db, error::Result};

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
    /// TOML as given.
    pub config: String,
}

/// A run's distribution for one photo and attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The photo's position in the dataset (the line of items.jsonl, from 0).
    pub position: i32,
    /// Attribute key.
    pub attribute: String,
    /// Value key to probability.
    pub distribution: BTreeMap<String, f64>,
}

/// Which mistakes of a head to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MistakeFilter {
    /// Attribute key of the head.
    pub head: String,
    /// Value key in the dataset; any if none.
    pub answer: Option<String>,
    /// Value key that the head put first; any if none.
    pub predicted: Option<String>,
    /// One split; all if none.
    pub split: Option<Split>,
    /// From the previous page.
    pub cursor: Option<i64>,
}

/// Starts a run.
pub async fn create(actor: &Actor, db: &Db, project: &str, input: TrainInput) -> Result<RunDetail> {
    let _ = (actor, db, project, input);
    unimplemented!()
}
/// Runs, newest first.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Vec<RunRow>> {
    let _ = (actor, db, project);
    unimplemented!()
}
/// One run.
pub async fn get(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<RunDetail> {
    let _ = (actor, db, project, run_id);
    unimplemented!()
}
/// Key of the run's folder in the object store, once finished.
pub async fn artifacts(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<Option<String>> {
    let _ = (actor, db, project, run_id);
    unimplemented!()
}
/// The run's id by name.
pub async fn find(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<i64> {
    let _ = (actor, db, project, name);
    unimplemented!()
}
/// Asks the run's job to stop.
pub async fn cancel(actor: &Actor, db: &Db, project: &str, run_id: i64) -> Result<()> {
    let _ = (actor, db, project, run_id);
    unimplemented!()
}
/// What a worker needs.
pub async fn training(actor: &Actor, db: &Db, run_id: i64) -> Result<RunForTraining> {
    let _ = (actor, db, run_id);
    unimplemented!()
}
/// Adds or replaces points of curves.
pub async fn add_curves(actor: &Actor, db: &Db, run_id: i64, points: &[CurvePoint]) -> Result<()> {
    let _ = (actor, db, run_id, points);
    unimplemented!()
}
/// Stores a run's results.
pub async fn finish(actor: &Actor, db: &Db, run_id: i64, metrics: serde_json::Value, artifacts: &str) -> Result<()> {
    let _ = (actor, db, run_id, metrics, artifacts);
    unimplemented!()
}
/// Stores predictions; earlier ones of the same photo and attribute are replaced.
pub async fn store_predictions(actor: &Actor, db: &Db, run_id: i64, predictions: &[Prediction]) -> Result<()> {
    let _ = (actor, db, run_id, predictions);
    unimplemented!()
}
/// Photos that a head got wrong.
pub async fn mistakes(
    actor: &Actor,
    db: &Db,
    project: &str,
    run_id: i64,
    filter: &MistakeFilter,
    limit: usize,
) -> Result<Page<Mistake>> {
    let _ = (actor, db, project, run_id, filter, limit);
    unimplemented!()
}
