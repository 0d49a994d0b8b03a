//! How a run proceeds, what it reads and what it reports.

use serde::{Deserialize, Serialize};

use super::{
    AuxiliaryWeight, ConfigError, Keep, StopMetric,
    range::{at_least, within},
};

/// `[stop]`: when a run ends and which weights it leaves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopConfig {
    /// Epochs without progress of the validation figure before the run stops. Default 0: never.
    pub patience: u32,
    /// The validation figure. Default `accuracy`.
    pub metric: StopMetric,
    /// The head that it is taken of. Default: the mean over all heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Wall-clock budget in minutes; the run ends in good order when it is spent. Default 0: none.
    pub minutes: f64,
    /// Weights that the run leaves. Default `last`.
    pub keep: Keep,
}

/// `[data]`: how photos are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Threads that decode and augment. Default 0: as many as there are cores.
    pub workers: u32,
    /// Memory for decoded photos, in MiB. Default 1024.
    pub cache_mb: u32,
    /// Lets the heads of annotated attributes learn "not visible" as one more answer, where five photos or more have it.
    /// Default false: such photos teach nothing.
    pub not_visible: bool,
}

/// `[evaluate]`: what is done with the trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Averages the prediction with that for the mirrored photo. Default false.
    pub flip: bool,
    /// Side of the square that is evaluated, in pixels, where the trunk was trained as a whole (`train = "all"`): random crops
    /// make things look larger in training, which a larger picture makes up for (arXiv 1906.06423). Default 0: `image_size`.
    pub image_size: u32,
    /// Fits a temperature per head on the validation part. Default true.
    pub temperature: bool,
    /// Folds for out-of-fold predictions of every photo. Default 0: none.
    pub folds: u32,
    /// Lets the test part take part in the folds: for suggestions and for finding wrong labels, which want as many labels as
    /// there are. The run's own model and its test figures never see it; out-of-fold figures then do. Default false.
    pub folds_test: bool,
    /// Photos that get a Grad-CAM overlay. Default 0.
    pub explain: u32,
}

/// `[pseudo]`: a second round with the model's own answers where there are none (pseudo-labels).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PseudoConfig {
    /// Learns the model's answers for training photos of the dataset that nobody has answered. Default false.
    pub unlabelled: bool,
    /// Folder of further photos without labels. Default empty: none.
    pub images: String,
    /// Probability from which an answer is taken as a label. Default 0.9.
    pub threshold: f64,
    /// Epochs of the second round. Default 3.
    pub epochs: u32,
}

/// `[auxiliary]`: training photos from another set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuxiliaryConfig {
    /// Folder of an exported dataset whose training photos are trained on as well. Default empty: none.
    pub dataset: String,
    /// How much each of them counts. Default `none`: all alike.
    pub weight: AuxiliaryWeight,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { workers: 0, cache_mb: 1024, not_visible: false }
    }
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self { flip: false, image_size: 0, temperature: true, folds: 0, folds_test: false, explain: 0 }
    }
}

impl Default for PseudoConfig {
    fn default() -> Self {
        Self { unlabelled: false, images: String::new(), threshold: 0.9, epochs: 3 }
    }
}

impl StopConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("stop.minutes", self.minutes, 0.0)
    }
}

impl DataConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("data.workers", f64::from(self.workers), 0.0, 1024.0)
    }
}

impl EvaluateConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.folds == 1 {
            return Err(ConfigError::at("evaluate.folds", "is 1, must be 0 (none) or 2 and more"));
        }
        if self.image_size > 0 {
            within("evaluate.image_size", f64::from(self.image_size), 32.0, 1024.0)?;
        }
        within("evaluate.folds", f64::from(self.folds), 0.0, 100.0)
    }
}

impl AuxiliaryConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.weight != AuxiliaryWeight::default() && self.dataset.is_empty() {
            return Err(ConfigError::at("auxiliary.weight", "has nothing to weigh: auxiliary.dataset names no folder"));
        }
        Ok(())
    }
}

impl PseudoConfig {
    /// Whether there is a second round.
    pub fn is_on(&self) -> bool {
        self.unlabelled || !self.images.is_empty()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("pseudo.threshold", self.threshold, 0.0, 1.0)?;
        at_least("pseudo.epochs", f64::from(self.epochs), 1.0)
    }
}
