//! What the finished cells of an experiment say together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use kenami_domain::{
    dataset::Split,
    metrics::{CurveRow, Metrics},
    run_config::RunConfig,
    statistics::{McNemar, PairedDifference, Summary, mcnemar, paired_difference, summary},
};
use serde::{Deserialize, Serialize};

use super::{ExperimentRequest, cell_dir, read_metrics};
use crate::{
    data::{file_name, head_data},
    error::{Error, Result},
    
};

/// Confidence of the intervals.
const LEVEL: f64 = 0.95;
const SPLITS: [Split; 2] = [Split::Validation, Split::Test];

/// `experiment.json`: an experiment's results. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What stands over the tables.
    pub title: Option<String>,
    /// The dataset's name.
    pub dataset: String,
    /// The dataset's content hash, as far as it has one.
    pub dataset_hash: String,
    /// Variants; the first is the baseline.
    pub variants: Vec<String>,
    /// Each variant's configuration as TOML; its seed means nothing.
    pub configurations: BTreeMap<String, String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Confidence of the intervals.
    pub level: f64,
    /// Every cell that was begun.
    pub cells: Vec<Cell>,
    /// Per head, variant, split and measure: mean and deviation over the finished seeds.
    pub figures: Vec<Figure>,
    /// Each variant less the baseline, under the same seeds.
    pub differences: Vec<Difference>,
    /// McNemar's test of each variant and the baseline on the test photos: per seed, and (`seed` absent) of all seeds'
    /// counts together, which takes the predictions of several runs on one photo for independent: its p is too small.
    pub comparisons: Vec<Comparison>,
}

/// One run of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The variant.
    pub variant: String,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub state: CellState,
    /// Wall-clock seconds of the run.
    pub seconds: Option<f64>,
    /// Per head and split.
    pub heads: BTreeMap<String, BTreeMap<String, Figures>>,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellState {
    /// Its results count.
    Finished,
    /// Why it has none.
    Failed(String),
}

/// One head of one cell on one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Photos with an answer.
    pub n: usize,
    /// Share of photos predicted right.
    pub accuracy: f64,
    /// Mean over the values of the share predicted right.
    pub mean_per_class_accuracy: f64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of photos predicted right.
    Accuracy,
    /// Mean over the values of the share predicted right.
    MeanPerClassAccuracy,
}

impl Measure {
    /// Both, in the tables' order.
    pub const ALL: [Self; 2] = [Self::Accuracy, Self::MeanPerClassAccuracy];

    fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::Accuracy => figures.accuracy,
            Self::MeanPerClassAccuracy => figures.mean_per_class_accuracy,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accuracy => "accuracy",
            Self::MeanPerClassAccuracy => "mean_per_class_accuracy",
        })
    }
}

/// Mean and deviation of one measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The head's attribute.
    pub head: String,
    /// The variant.
    pub variant: String,
    /// `validation` or `test`.
    pub split: String,
    /// What.
    pub measure: Measure,
    /// Over the finished seeds.
    pub summary: Summary,
}

/// A variant less the baseline, seed by seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The head's attribute.
    pub head: String,
    /// The variant.
    pub variant: String,
    /// `validation` or `test`.
    pub split: String,
    /// What.
    pub measure: Measure,
    /// Over the seeds that both have finished.
    pub paired: PairedDifference,
}

/// McNemar's test: "first" is the baseline, "second" the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The head's attribute.
    pub head: String,
    /// The variant.
    pub variant: String,
    /// Of one seed; absent for all of them together.
    pub seed: Option<u64>,
    /// Test photos that both predicted (of all seeds together, where `seed` is absent).
    pub photos: usize,
    /// The test.
    pub test: McNemar,
}

/// Per head: which test photos a cell has right, by file name.
type Hits = BTreeMap<String, BTreeMap<String, bool>>;

/// Reads the finished cells and computes everything.
pub(super) fn gather(request: &ExperimentRequest, states: &[(String, u64, CellState)]) -> Result<Results> {
    let plan = &request.plan;
    let (mut cells, mut hits) = (Vec::new(), BTreeMap::new());
    for (variant, seed, state) in states {
        let mut cell =
            Cell { variant: variant.clone(), seed: *seed, state: state.clone(), seconds: None, heads: BTreeMap::new() };
        if *state == CellState::Finished {
            let dir = cell_dir(&request.out_dir, variant, *seed);
            let metrics = read_metrics(&dir)?;
            cell.seconds = Some(metrics.seconds);
            cell.heads = figures_of(&metrics);
            hits.insert((variant.clone(), *seed), read_hits(request, variant, &dir.join("predictions.csv"))?);
        }
        cells.push(cell);
    }
    cells.sort_by_key(|cell| {
        (plan.variants.iter().position(|v| v.name == cell.variant), plan.seeds.iter().position(|s| *s == cell.seed))
    });
    let configurations = plan.variants.iter().map(|variant| (variant.name.clone(), variant.config.to_toml()));
    let mut results = Results {
        title: plan.title.clone(),
        dataset: request.dataset.manifest.name.clone(),
        dataset_hash: request.dataset.manifest.hash.clone(),
        variants: plan.variants.iter().map(|variant| variant.name.clone()).collect(),
        configurations: configurations.collect(),
        seeds: plan.seeds.clone(),
        level: LEVEL,
        cells,
        figures: Vec::new(),
        differences: Vec::new(),
        comparisons: Vec::new(),
    };
    results.summarise();
    results.compare(&hits);
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

/// Which test photos a run's first answers have right.
fn read_hits(request: &ExperimentRequest, variant: &str, path: &std::path::Path) -> Result<Hits> {
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
    let mut hits = Hits::new();
    for row in csv::Reader::from_path(path).map_err(unreadable)?.deserialize() {
        let row: Row = row.map_err(unreadable)?;
        if row.rank != 1 || row.split != Split::Test.as_str() {
            continue;
        }
        if let Some(answer) = answers.get(&row.attribute).and_then(|answers| answers.get(row.image.as_str())) {
            hits.entry(row.attribute).or_default().insert(row.image, *answer == row.answer);
        }
    }
    Ok(hits)
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

impl Results {
    /// Heads of any finished cell.
    pub fn heads(&self) -> BTreeSet<&str> {
        self.cells.iter().flat_map(|cell| cell.heads.keys().map(String::as_str)).collect()
    }

    /// Seeds of a variant whose figures of a head are there.
    pub fn finished(&self, variant: &str, head: &str) -> usize {
        self.cells.iter().filter(|cell| cell.variant == variant && cell.heads.contains_key(head)).count()
    }

    /// What a variant's cells measured, by seed.
    fn values(&self, variant: &str, head: &str, split: Split, measure: Measure) -> BTreeMap<u64, f64> {
        let cells = self.cells.iter().filter(|cell| cell.variant == variant);
        let value = |cell: &Cell| Some((cell.seed, measure.of(cell.heads.get(head)?.get(split.as_str())?)));
        cells.filter_map(value).collect()
    }

    fn summarise(&mut self) {
        let heads: Vec<String> = self.heads().into_iter().map(str::to_owned).collect();
        for head in &heads {
            for (number, variant) in self.variants.iter().enumerate() {
                for split in SPLITS {
                    for measure in Measure::ALL {
                        let values = self.values(variant, head, split, measure);
                        let Some(summary) = summary(&values.values().copied().collect::<Vec<_>>()) else { continue };
                        let (head, variant, split_name) = (head.clone(), variant.clone(), split.to_string());
                        if number > 0 {
                            let baseline = self.values(&self.variants[0], &head, split, measure);
                            let pairs = values.iter().filter_map(|(seed, b)| Some((*baseline.get(seed)?, *b)));
                            let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
                            self.differences.extend(paired_difference(&a, &b, LEVEL).map(|paired| Difference {
                                head: head.clone(),
                                variant: variant.clone(),
                                split: split_name.clone(),
                                measure,
                                paired,
                            }));
                        }
                        self.figures.push(Figure { head, variant, split: split_name, measure, summary });
                    }
                }
            }
        }
    }

    fn compare(&mut self, hits: &BTreeMap<(String, u64), Hits>) {
        let heads: Vec<String> = self.heads().into_iter().map(str::to_owned).collect();
        for head in &heads {
            for variant in &self.variants[1..] {
                let mut total = (0, 0, 0);
                let mut comparisons = Vec::new();
                for seed in &self.seeds {
                    let of = |name: &String| hits.get(&(name.clone(), *seed)).and_then(|hits| hits.get(head));
                    let (Some(first), Some(second)) = (of(&self.variants[0]), of(variant)) else { continue };
                    let both = first.iter().filter_map(|(photo, a)| Some((*a, *second.get(photo)?)));
                    let (mut photos, mut only_first, mut only_second) = (0, 0, 0);
                    for (a, b) in both {
                        photos += 1;
                        only_first += u64::from(a && !b);
                        only_second += u64::from(b && !a);
                    }
                    total = (total.0 + photos, total.1 + only_first, total.2 + only_second);
                    comparisons.push((Some(*seed), photos, mcnemar(only_first, only_second)));
                }
                if comparisons.len() > 1 {
                    comparisons.push((None, total.0, mcnemar(total.1, total.2)));
                }
                self.comparisons.extend(comparisons.into_iter().map(|(seed, photos, test)| Comparison {
                    head: head.clone(),
                    variant: variant.clone(),
                    seed,
                    photos,
                    test,
                }));
            }
        }
    }

    /// The figure of a head, variant, split and measure.
    pub fn figure(&self, head: &str, variant: &str, split: Split, measure: Measure) -> Option<&Summary> {
        let wanted = |figure: &&Figure| {
            figure.head == head
                && figure.variant == variant
                && figure.split == split.as_str()
                && figure.measure == measure
        };
        self.figures.iter().find(wanted).map(|figure| &figure.summary)
    }

    /// The difference of a variant from the baseline.
    pub fn difference(&self, head: &str, variant: &str, split: Split, measure: Measure) -> Option<&PairedDifference> {
        let wanted = |difference: &&Difference| {
            difference.head == head
                && difference.variant == variant
                && difference.split == split.as_str()
                && difference.measure == measure
        };
        self.differences.iter().find(wanted).map(|difference| &difference.paired)
    }
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
