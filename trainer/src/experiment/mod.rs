//! Experiments: variants of a configuration, each trained with several seeds, and what they say together.
//!
//! [`run`] trains what is missing of the matrix, cell by cell in `VARIANT/seed-N`, and writes after every cell
//! `experiment.json` ([`Results`]), `table.csv`, `table.md` and `index.html`. What is finished is not trained again; what was
//! broken off goes on from its checkpoint. Variants with a share of the labels are points of a learning curve ([`share`]) and are
//! not compared with the others.

mod chart;
mod page;
mod plan;
mod results;
mod share;
mod tables;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use kenami_domain::{
    experiment::Hits,
    metrics::Metrics,
    run_config::{RunConfig, WeightsKind, weights_kind},
};
use serde::{Deserialize, Serialize};

pub use kenami_domain::experiment::{Cell, CellState, Comparison, Difference, Figure, Figures, Measure, Results};
pub use plan::{Plan, Variant};

use crate::{
    data::Dataset,
    error::{Error, Result},
    files::write_atomically,
    models::WeightsInput,
    observer::{Event, Observer},
    run::MODEL,
    train::{TrainRequest, check_available, train},
};

/// What a cell was made of, in its folder.
const CELL: &str = "cell.json";
const METRICS: &str = "metrics.json";
/// Files of the whole experiment.
const RESULTS: &str = "experiment.json";
const TABLE_CSV: &str = "table.csv";
const TABLE_MARKDOWN: &str = "table.md";
const PAGE: &str = "index.html";

/// An experiment on a dataset.
#[derive(Debug, Clone)]
pub struct ExperimentRequest {
    /// Variants and seeds.
    pub plan: Plan,
    /// The frozen dataset.
    pub dataset: Dataset,
    /// The experiment's folder; made if it is not there.
    pub out_dir: PathBuf,
    /// Where features are kept; all cells share them. `None`: a folder `cache` in the experiment's.
    pub cache_dir: Option<PathBuf>,
    /// What stands behind the weights `demo`.
    pub weights: Option<WeightsInput>,
    /// Keeps each run's weights; else they are removed once it has finished, as only its figures are needed.
    pub keep_weights: bool,
}

/// Decides whether a finished cell still is what is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Identity {
    /// The whole configuration as TOML.
    config: String,
    /// blake3 of the dataset.
    dataset: String,
    /// blake3 of the pretrained weights' file, where there is one.
    weights: Option<String>,
}

/// Trains what is missing and writes the results. A cell that fails is reported and does not hold up the others. Blocks.
///
/// # Errors
/// A variant asks for what this version cannot do, a file cannot be written, or [`Error::Cancelled`]; in the last case all
/// finished cells are kept and reported, and the same call goes on where this one stopped.
pub fn run(request: &ExperimentRequest, observer: &dyn Observer) -> Result<Results> {
    let plan = &request.plan;
    for variant in &plan.variants {
        check_available(&variant.config).map_err(|error| match error {
            Error::Unavailable { what, available } => {
                Error::Unavailable { what: format!("variant {}: {what}", variant.name), available }
            }
            other => other,
        })?;
    }
    fs::create_dir_all(&request.out_dir).map_err(Error::io(&request.out_dir))?;
    let cells = plan.variants.len() * plan.seeds.len();
    let (mut hashes, mut hits) = (BTreeMap::new(), Hits::default());
    let mut states: Vec<(String, u64, CellState)> = Vec::new();
    // Seed by seed: an experiment that is broken off has whole pairs to compare.
    let matrix = plan.seeds.iter().flat_map(|seed| plan.variants.iter().map(move |variant| (variant, *seed)));
    for (number, (variant, seed)) in matrix.enumerate() {
        let config = RunConfig { seed, ..variant.config.clone() };
        let dir = cell_dir(&request.out_dir, &variant.name, seed);
        let dataset = match variant.labels {
            Some(share) => share::with_share(&request.dataset, share, seed)?,
            None => request.dataset.clone(),
        };
        let identity = identity(request, &dataset, &config, &mut hashes)?;
        let finished = is_finished(&dir, &identity);
        observer.event(Event::Cell { variant: variant.name.clone(), seed, number: number + 1, cells, finished });
        let state = if finished {
            CellState::Finished
        } else {
            match train_cell(request, dataset, config, &dir, &identity, observer) {
                Ok(_) => CellState::Finished,
                Err(Error::Cancelled) => {
                    report(request, &states, &mut hits)?;
                    return Err(Error::Cancelled);
                }
                Err(error) => {
                    let text = format!("{} with seed {seed}: {error}", variant.name);
                    observer.event(Event::Warning(text));
                    CellState::Failed(error.to_string())
                }
            }
        };
        states.push((variant.name.clone(), seed, state));
        if !finished {
            report(request, &states, &mut hits)?;
        }
    }
    report(request, &states, &mut hits)
}

/// A cell's folder.
fn cell_dir(out_dir: &Path, variant: &str, seed: u64) -> PathBuf {
    out_dir.join(variant).join(format!("seed-{seed}"))
}

fn identity(
    request: &ExperimentRequest,
    dataset: &Dataset,
    config: &RunConfig,
    hashes: &mut BTreeMap<String, Option<String>>,
) -> Result<Identity> {
    let weights = &config.model.weights;
    if !hashes.contains_key(weights) {
        let of_file = |path: &Path| Ok::<_, Error>(blake3::hash(&fs::read(path).map_err(Error::io(path))?));
        let hash = match (weights_kind(weights), &request.weights) {
            (WeightsKind::Demo | WeightsKind::Run(_), Some(WeightsInput::Path(path))) => Some(of_file(path)?),
            (WeightsKind::Demo | WeightsKind::Run(_), Some(WeightsInput::Bytes(bytes))) => Some(blake3::hash(bytes)),
            (WeightsKind::Path(path), _) => Some(of_file(Path::new(path))?),
            _ => None,
        };
        let hash = hash.map(|hash| hash.to_hex().to_string());
        hashes.insert(weights.clone(), hash);
    }
    Ok(Identity {
        config: config.to_toml(),
        dataset: dataset.fingerprint().to_hex().to_string(),
        weights: hashes[weights].clone(),
    })
}

/// Whether the folder holds a finished run of the same dataset, configuration and weights.
fn is_finished(dir: &Path, identity: &Identity) -> bool {
    read_metrics(dir).is_ok()
        && fs::read(dir.join(CELL))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Identity>(&bytes).ok())
            .is_some_and(|found| found == *identity)
}

fn train_cell(
    request: &ExperimentRequest,
    dataset: Dataset,
    config: RunConfig,
    dir: &Path,
    identity: &Identity,
    observer: &dyn Observer,
) -> Result<Metrics> {
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    // Before training: what lies there from another configuration is no longer a finished cell.
    let metrics = dir.join(METRICS);
    if metrics.exists() {
        fs::remove_file(&metrics).map_err(Error::io(&metrics))?;
    }
    write_atomically(&dir.join(CELL), |file| Ok(serde_json::to_writer_pretty(file, identity)?))?;
    let train_request = TrainRequest {
        dataset,
        config,
        out_dir: dir.to_owned(),
        cache_dir: Some(request.cache_dir.clone().unwrap_or_else(|| request.out_dir.join("cache"))),
        weights: request.weights.clone(),
        // A checkpoint of another configuration is not taken.
        resume: true,
    };
    let metrics = train(train_request, observer)?;
    if !request.keep_weights {
        let weights = dir.join(MODEL);
        fs::remove_file(&weights).map_err(Error::io(&weights))?;
    }
    Ok(metrics)
}

fn read_metrics(dir: &Path) -> Result<Metrics> {
    let path = dir.join(METRICS);
    serde_json::from_slice(&fs::read(&path).map_err(Error::io(&path))?)
        .map_err(|error| Error::Run(format!("{} cannot be read: {error}", path.display())))
}

/// Gathers what is finished and writes the experiment's files.
fn report(request: &ExperimentRequest, states: &[(String, u64, CellState)], hits: &mut Hits) -> Result<Results> {
    let results = results::gather(request, states, hits)?;
    let dir = &request.out_dir;
    write_atomically(&dir.join(RESULTS), |file| {
        serde_json::to_writer_pretty(&mut *file, &results)?;
        file.write_all(b"\n")
    })?;
    write_atomically(&dir.join(TABLE_CSV), |file| tables::csv(&results, file))?;
    write_atomically(&dir.join(TABLE_MARKDOWN), |file| file.write_all(tables::markdown(&results).as_bytes()))?;
    let page = page::html(&results, &results::curves(request, states)?);
    write_atomically(&dir.join(PAGE), |file| file.write_all(page.as_bytes()))?;
    Ok(results)
}
