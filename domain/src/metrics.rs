//! What a run measured: metrics.json and the rows of curves.csv.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Why training ended before its last epoch, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StopReason>,
    /// The epoch whose weights were kept, where they are the best epoch's and not the last one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<u32>,
    /// The run's files, by their paths in its folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What the run had to say, such as an attribute without a head.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Per attribute key: the number that logits are divided by before they become probabilities, fitted on validation.
    /// Absent where validation names none (no answers, or none of them missed).
    #[serde(default)]
    pub temperatures: BTreeMap<String, f64>,
    /// How long one photo takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// Whether mistakes on a given attribute and mistakes on another head fall on the same photos.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coincidences: Vec<Coincidence>,
    /// Per attribute key: figures of out-of-sample predictions, where folds were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub out_of_sample: BTreeMap<String, SplitMetrics>,
    /// What a second round learnt from the model's own answers, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo: Option<PseudoLabels>,
}

/// Answers of a first round's model that a second round learnt from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PseudoLabels {
    /// Probability, after temperature scaling, from which an answer was taken.
    pub threshold: f64,
    /// Photos without labels, and training photos that lacked an answer.
    pub photos: usize,
    /// Of these, photos of which at least one answer was taken.
    pub taken: usize,
    /// Answers taken, per attribute key.
    pub answers: BTreeMap<String, usize>,
    /// Accuracy on test before, per attribute key: the first round's.
    pub before: BTreeMap<String, f64>,
    /// Epochs of the first round: those of the second are counted from 1 again.
    #[serde(default)]
    pub epochs: u32,
}

impl PseudoLabels {
    /// Attributes of which answers were taken or test had a figure.
    pub fn attributes(&self) -> BTreeSet<&str> {
        self.answers.keys().chain(self.before.keys()).map(String::as_str).collect()
    }
}

/// Why training ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The validation figure made no progress for `stop.patience` epochs.
    Patience,
    /// `stop.minutes` were spent.
    Minutes,
}

/// Time of the network and its heads on one photo at a time (batch size 1); reading and decoding are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Passes measured, after some that were not.
    pub passes: usize,
    /// Median, in milliseconds.
    pub median_ms: f64,
    /// 95th percentile, in milliseconds.
    pub p95_ms: f64,
}

/// Photos with an answer to both attributes, by whether each was predicted right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coincidence {
    /// `train`, `validation` or `test`.
    pub split: String,
    /// The given attribute (breed), which has a head itself.
    pub given: String,
    /// The other head's attribute.
    pub attribute: String,
    /// Both right.
    pub both_right: usize,
    /// The given attribute right, the other wrong.
    pub attribute_wrong: usize,
    /// The given attribute wrong, the other right.
    pub given_wrong: usize,
    /// Both wrong.
    pub both_wrong: usize,
    /// Correlation of the two mistakes (phi coefficient), -1 to 1; absent where a head is always right or always wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phi: Option<f64>,
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
    /// Share of photos whose answer is among the five most likely values.
    #[serde(default)]
    pub top5_accuracy: f64,
    /// Mean of -ln p(answer), in nats, before temperature scaling.
    pub nll: f64,
    /// Mean squared distance of the distribution from the answer, 0 to 2 (G. Brier, 1950), before temperature scaling.
    #[serde(default)]
    pub brier: f64,
    /// Expected calibration error of the first answer, 15 bins of equal width, before temperature scaling.
    pub ece: f64,
    /// NLL, Brier score and calibration error after temperature scaling; absent where the head has no temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<CalibratedMetrics>,
    /// Figures per value, in the attribute's order.
    #[serde(default)]
    pub per_class: Vec<ClassMetrics>,
    /// Counts per answer and prediction.
    pub confusion: Confusion,
    /// Pairs of answer and wrong prediction, most frequent first.
    pub most_confused: Vec<ConfusedPair>,
}

/// What temperature scaling changes; it moves no answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibratedMetrics {
    /// Mean of -ln p(answer), in nats.
    pub nll: f64,
    /// Mean squared distance of the distribution from the answer.
    pub brier: f64,
    /// Expected calibration error of the first answer.
    pub ece: f64,
}

/// One value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The value's key.
    pub value: String,
    /// Photos whose answer it is.
    pub support: u32,
    /// Photos for which it is predicted.
    pub predicted: u32,
    /// Share of its predictions that are right; 0 where it is never predicted.
    pub precision: f64,
    /// Share of its photos that are found; 0 where it has none.
    pub recall: f64,
    /// Harmonic mean of both; 0 where both are.
    pub f1: f64,
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

/// A run's Grad-CAM overlays, found by head and photo: files `cam/HEAD/RANK_PHOTO.png`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlays(BTreeMap<(String, String), String>);

impl Overlays {
    /// Those among a run's files.
    pub fn of(files: &[String]) -> Self {
        let overlay = |file: &String| {
            let (head, name) = file.strip_prefix("cam/")?.strip_suffix(".png")?.split_once('/')?;
            let (_, photo) = name.split_once('_')?;
            Some(((head.to_owned(), photo.to_owned()), file.clone()))
        };
        Self(files.iter().filter_map(overlay).collect())
    }

    /// The file for an image of the dataset (`images/a.jpg`), if there is one.
    pub fn find(&self, head: &str, image: &str) -> Option<&str> {
        let name = image.rsplit('/').next().unwrap_or(image);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        self.0.get(&(head.to_owned(), stem.to_owned())).map(String::as_str)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlays_are_found_by_head_and_image() {
        let files = ["cam/breed/001_pug_1.png", "cam/ear/012_pug_1.png", "curves.png", "cam/x.png"].map(str::to_owned);
        let overlays = Overlays::of(&files);
        assert_eq!(overlays.find("ear", "images/pug_1.jpg"), Some("cam/ear/012_pug_1.png"));
        assert_eq!(overlays.find("breed", "pug_1"), Some("cam/breed/001_pug_1.png"));
        assert_eq!(overlays.find("coat", "images/pug_1.jpg"), None);
    }
}
