//! What an experiment's runs say together: variants of a configuration, each trained with several seeds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    dataset::Split,
    learning_curve::LearningCurve,
    statistics::{McNemar, PairedDifference, Summary, mcnemar, paired_difference, summary},
};

pub mod contrast;

pub use contrast::{Contrast, Outcome};

/// Confidence of the intervals.
pub const LEVEL: f64 = 0.95;
const SPLITS: [Split; 2] = [Split::Validation, Split::Test];

/// `experiment.json`: an experiment's results. Shares are 0 to 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Each variant less those before it, under the same seeds.
    pub differences: Vec<Difference>,
    /// McNemar's test of each variant and those before it on the test photos: per seed, and (`seed` absent) of all seeds'
    /// counts together, which takes the predictions of several runs on one photo for independent: its p is too small.
    pub comparisons: Vec<Comparison>,
    /// What the differences on the test photos amount to.
    #[serde(default)]
    pub contrasts: Vec<Contrast>,
    /// Accuracy over the number of labels, where variants with a share of the labels were trained.
    #[serde(default)]
    pub curves: Vec<LearningCurve>,
}

/// One run of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CellState {
    /// Its results count.
    Finished,
    /// Why it has none.
    Failed(String),
}

/// One head of one cell on one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// A variant less another one, seed by seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Difference {
    /// The head's attribute.
    pub head: String,
    /// The variant.
    pub variant: String,
    /// The variant that it is compared with.
    pub against: String,
    /// `validation` or `test`.
    pub split: String,
    /// What.
    pub measure: Measure,
    /// Over the seeds that both have finished.
    pub paired: PairedDifference,
}

/// McNemar's test: "first" is the variant that it is compared with, "second" the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// The head's attribute.
    pub head: String,
    /// The variant.
    pub variant: String,
    /// The variant that it is compared with.
    pub against: String,
    /// Of one seed; absent for all of them together.
    pub seed: Option<u64>,
    /// Test photos that both predicted (of all seeds together, where `seed` is absent).
    pub photos: usize,
    /// The test.
    pub test: McNemar,
}

/// By head and split: whether each photo is right, by file name.
type CellHits = BTreeMap<(String, Split), BTreeMap<String, bool>>;

/// By photo: whether one variant is right, and the other.
type Pairs = BTreeMap<String, (bool, bool)>;

/// Which photos the finished cells have right, by variant and seed.
#[derive(Debug, Clone, Default)]
pub struct Hits(BTreeMap<(String, u64), CellHits>);

impl Hits {
    /// Adds a photo of a cell.
    pub fn insert(&mut self, (variant, seed): (&str, u64), head: &str, split: Split, photo: &str, right: bool) {
        let cell = self.0.entry((variant.to_owned(), seed)).or_default();
        cell.entry((head.to_owned(), split)).or_default().insert(photo.to_owned(), right);
    }

    /// Whether photos of this cell are here.
    pub fn has(&self, variant: &str, seed: u64) -> bool {
        self.0.contains_key(&(variant.to_owned(), seed))
    }

    /// A cell's photos of a head and split; none where it has not finished or has no such head.
    pub fn of(&self, variant: &str, seed: u64, head: &str, split: Split) -> Option<&BTreeMap<String, bool>> {
        self.0.get(&(variant.to_owned(), seed))?.get(&(head.to_owned(), split))
    }

    /// Per seed that both have finished: the test photos that both predicted, with whether `against` and `variant` are right.
    fn pairs(&self, head: &str, variant: &str, against: &str, seeds: &[u64]) -> Vec<(u64, Pairs)> {
        let of_seed = |seed: &u64| {
            let (first, second) =
                (self.of(against, *seed, head, Split::Test)?, self.of(variant, *seed, head, Split::Test)?);
            let both = first.iter().filter_map(|(photo, a)| Some((photo.clone(), (*a, *second.get(photo)?))));
            Some((*seed, both.collect()))
        };
        seeds.iter().filter_map(of_seed).collect()
    }
}

fn counted(pairs: &Pairs) -> (usize, McNemar) {
    counted_of(pairs.values())
}

fn counted_of<'a>(pairs: impl Iterator<Item = &'a (bool, bool)>) -> (usize, McNemar) {
    let (mut photos, mut only_first, mut only_second) = (0, 0, 0);
    for (a, b) in pairs {
        photos += 1;
        only_first += u64::from(*a && !b);
        only_second += u64::from(*b && !a);
    }
    (photos, mcnemar(only_first, only_second))
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

    /// Computes mean and deviation of all measures, and the differences between variants, from the cells.
    pub fn summarise(&mut self) {
        let heads: Vec<String> = self.heads().into_iter().map(str::to_owned).collect();
        for head in &heads {
            for (number, variant) in self.variants.iter().enumerate() {
                for split in SPLITS {
                    for measure in Measure::ALL {
                        let values = self.values(variant, head, split, measure);
                        let Some(summary) = summary(&values.values().copied().collect::<Vec<_>>()) else { continue };
                        let (head, variant, split_name) = (head.clone(), variant.clone(), split.to_string());
                        for against in &self.variants[..number] {
                            let others = self.values(against, &head, split, measure);
                            let pairs = values.iter().filter_map(|(seed, b)| Some((*others.get(seed)?, *b)));
                            let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
                            self.differences.extend(paired_difference(&a, &b, LEVEL).map(|paired| Difference {
                                head: head.clone(),
                                variant: variant.clone(),
                                against: against.clone(),
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

    /// Compares what the variants have right of the test photos, pair by pair.
    pub fn compare(&mut self, hits: &Hits) {
        let heads: Vec<String> = self.heads().into_iter().map(str::to_owned).collect();
        for head in &heads {
            for (number, variant) in self.variants.iter().enumerate() {
                for against in &self.variants[..number] {
                    let pairs = hits.pairs(head, variant, against, &self.seeds);
                    let mut comparisons: Vec<_> =
                        pairs.iter().map(|(seed, pairs)| (Some(*seed), counted(pairs))).collect();
                    if comparisons.len() > 1 {
                        let all: Vec<(bool, bool)> =
                            pairs.iter().flat_map(|(_, pairs)| pairs.values().copied()).collect();
                        comparisons.push((None, counted_of(all.iter())));
                    }
                    self.comparisons.extend(comparisons.into_iter().map(|(seed, (photos, test))| Comparison {
                        head: head.clone(),
                        variant: variant.clone(),
                        against: against.clone(),
                        seed,
                        photos,
                        test,
                    }));
                    let by_seed: Vec<&Pairs> = pairs.iter().map(|(_, pairs)| pairs).collect();
                    self.contrasts.extend(contrast::contrast(head, variant, against, &by_seed));
                }
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
                && self.variants.first() == Some(&difference.against)
                && difference.split == split.as_str()
                && difference.measure == measure
        };
        self.differences.iter().find(wanted).map(|difference| &difference.paired)
    }
}

#[cfg(test)]
mod tests;
