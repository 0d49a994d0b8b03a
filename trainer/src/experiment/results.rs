//! Gathers what the finished cells of an experiment say.

use std::{collections::BTreeMap, path::Path};

use kenami_domain::{
    dataset::Split,
    experiment::{Cell, CellState, Figures, Hits, LEVEL, Results},
    learning_curve,
    metrics::{CurveRow, Metrics},
    run_config::RunConfig,
};
use serde::Deserialize;

use super::{ExperimentRequest, Plan, cell_dir, read_metrics};
use crate::{
    data::{file_name, head_data},
    error::{Error, Result},
};

/// Reads the finished cells and computes everything; `hits` keeps what has been read of them.
pub(super) fn gather(
    request: &ExperimentRequest,
    states: &[(String, u64, CellState)],
    hits: &mut Hits,
) -> Result<Results> {
    let plan = &request.plan;
    let mut cells = Vec::new();
    for (variant, seed, state) in states {
        let mut cell =
            Cell { variant: variant.clone(), seed: *seed, state: state.clone(), seconds: None, heads: BTreeMap::new() };
        if *state == CellState::Finished {
            let dir = cell_dir(&request.out_dir, variant, *seed);
            let metrics = read_metrics(&dir)?;
            cell.seconds = Some(metrics.seconds);
            cell.heads = figures_of(&metrics);
            if !hits.has(variant, *seed) {
                read_hits(request, (variant, *seed), &dir.join("predictions.csv"), hits)?;
            }
        }
        cells.push(cell);
    }
    cells.sort_by_key(|cell| {
        (plan.variants.iter().position(|v| v.name == cell.variant), plan.seeds.iter().position(|s| *s == cell.seed))
    });
    let configurations = plan.variants.iter().map(|variant| (variant.name.clone(), variant.config.to_toml()));
    let compared = plan.variants.iter().filter(|variant| variant.labels.is_none());
    let mut results = Results {
        title: plan.title.clone(),
        dataset: request.dataset.manifest.name.clone(),
        dataset_hash: request.dataset.manifest.hash.clone(),
        variants: compared.map(|variant| variant.name.clone()).collect(),
        configurations: configurations.collect(),
        seeds: plan.seeds.clone(),
        level: LEVEL,
        cells,
        figures: Vec::new(),
        differences: Vec::new(),
        comparisons: Vec::new(),
        contrasts: Vec::new(),
        curves: Vec::new(),
    };
    results.summarise();
    results.compare(hits);
    results.curves = learning_curve::of_cells(&results.cells, &shares(plan), &plan.seeds, hits);
    Ok(results)
}

fn figures_of(metrics: &Metrics) -> BTreeMap<String, BTreeMap<String, Figures>> {
    let head = |splits: &BTreeMap<String, kenami_domain::metrics::SplitMetrics>| {
        let figures = splits.iter().map(|(split, m)| {
            let figures = Figures { n: m.n, accuracy: m.accuracy, mean_per_class_accuracy: m.mean_per_class_accuracy };
            (split.clone(), figures)
        });
        figures.collect()
    };
    metrics.heads.iter().map(|(name, splits)| (name.clone(), head(splits))).collect()
}

/// Variants that were trained on a share of the labels.
fn shares(plan: &Plan) -> Vec<String> {
    plan.variants.iter().filter(|variant| variant.labels.is_some()).map(|variant| variant.name.clone()).collect()
}

/// Which validation and test photos a run's first answers have right.
fn read_hits(request: &ExperimentRequest, (variant, seed): (&str, u64), path: &Path, hits: &mut Hits) -> Result<()> {
    #[derive(Deserialize)]
    struct Row {
        image: String,
        split: String,
        attribute: String,
        answer: String,
        rank: usize,
    }
    let config = request.plan.variants.iter().find(|v| v.name == variant).map(|v| &v.config);
    let answers = truth(request, config.unwrap_or(&RunConfig::default()))?;
    let unreadable = |error: csv::Error| Error::Run(format!("{} cannot be read: {error}", path.display()));
    for row in csv::Reader::from_path(path).map_err(unreadable)?.deserialize() {
        let row: Row = row.map_err(unreadable)?;
        let split = [Split::Validation, Split::Test].into_iter().find(|split| split.as_str() == row.split);
        let (Some(split), 1) = (split, row.rank) else { continue };
        if let Some(answer) = answers.get(&row.attribute).and_then(|answers| answers.get(row.image.as_str())) {
            hits.insert((variant, seed), &row.attribute, split, &row.image, *answer == row.answer);
        }
    }
    Ok(())
}

/// Per head: the trusted answer of each photo, by file name.
fn truth<'a>(
    request: &'a ExperimentRequest,
    config: &RunConfig,
) -> Result<BTreeMap<String, BTreeMap<&'a str, String>>> {
    let heads = head_data(&request.dataset, config, &mut |_| {})?;
    let answers = heads.into_iter().map(|head| {
        let photos = request.dataset.items.iter().zip(&head.truth).filter_map(|(item, truth)| {
            let answer = head.labels.get((*truth)?)?;
            Some((file_name(&item.image), answer.clone()))
        });
        (head.attribute.clone(), photos.collect())
    });
    Ok(answers.collect())
}

/// The curves of a cell.
#[derive(Debug, Clone)]
pub(super) struct CellCurves {
    pub variant: String,
    pub seed: u64,
    pub rows: Vec<CurveRow>,
}

/// Curves of the finished cells.
pub(super) fn curves(request: &ExperimentRequest, states: &[(String, u64, CellState)]) -> Result<Vec<CellCurves>> {
    let finished = states.iter().filter(|(_, _, state)| *state == CellState::Finished);
    let read = |(variant, seed, _): &(String, u64, CellState)| {
        let path = cell_dir(&request.out_dir, variant, *seed).join("curves.csv");
        let unreadable = |error: csv::Error| Error::Run(format!("{} cannot be read: {error}", path.display()));
        let rows = csv::Reader::from_path(&path).map_err(unreadable)?.deserialize().collect::<Result<_, _>>();
        Ok(CellCurves { variant: variant.clone(), seed: *seed, rows: rows.map_err(unreadable)? })
    };
    finished.map(read).collect()
}
