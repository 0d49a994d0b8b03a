//! What a run measured: metrics.json and the rows of curves.csv.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `metrics.json`: the results of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Per attribute key, per split (`train`, `validation`, `test`); a split without an answer is absent.
    pub heads: BTreeMap<String, BTreeMap<String, SplitMetrics>>,
    /// Wall-clock seconds from start to finish (of the last sitting, where a run was resumed).
    pub seconds: f64,
    /// Photos a second through reading, decoding and the trunk (or the cache).
    pub images_per_second: f64,
    /// Photos in the dataset.
    #[serde(default)]
    pub photos: usize,
    /// Photos whose features were computed.
    #[serde(default)]
    pub features_computed: usize,
    /// Photos whose features came from the cache.
    #[serde(default)]
    pub features_cached: usize,
    /// Epochs trained.
    #[serde(default)]
    pub epochs: u32,
    /// What the run had to say, such as an attribute without a head.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// One head on one split, over the photos whose answer is a value that is trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitMetrics {
    /// Photos with an answer.
    pub n: usize,
    /// Share of photos whose most likely value is the answer.
    pub accuracy: f64,
    /// Mean over the values that occur, as answer or as prediction, of the F1 score.
    pub macro_f1: f64,
    /// Mean over the values that occur as answers of the share found (balanced accuracy).
    pub mean_per_class_accuracy: f64,
    /// Mean of -ln p(answer), in nats.
    pub nll: f64,
    /// Expected calibration error of the first answer, 15 bins of equal width.
    pub ece: f64,
    /// Counts per answer and prediction.
    pub confusion: Confusion,
    /// Pairs of answer and wrong prediction, most frequent first.
    pub most_confused: Vec<ConfusedPair>,
}

/// A confusion matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Value keys, in the attribute's order: rows and columns.
    pub labels: Vec<String>,
    /// `counts[answer][prediction]`.
    pub counts: Vec<Vec<u32>>,
}

/// Photos of one value taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusedPair {
    /// What the photos are.
    pub answer: String,
    /// What the model said.
    pub predicted: String,
    /// How many.
    pub count: usize,
    /// Their file names, the model's surest mistake first.
    pub images: Vec<String>,
}

/// One row of `curves.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurveRow {
    /// From 1.
    pub epoch: u32,
    /// `train` or `validation`.
    pub split: String,
    /// `HEAD/loss`, `HEAD/accuracy`, or `lr`.
    pub series: String,
    /// The value at the epoch's end.
    pub value: f64,
}
