//! What is minimised and over which batches.

use serde::{Deserialize, Serialize};

use super::{
    ConfigError, SamplerKind, TripletMargin, Weighting,
    range::{above_zero, at_least},
};

/// `[loss]`: how the heads' losses add up, and losses on the pooled features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weights between heads. Default `fixed`.
    pub weighting: Weighting,
    /// Factor of all annotated heads together (lambda). Default 1.
    pub attributes: f64,
    /// Factor of the center loss on the pooled features. Default 0: none.
    pub center: f64,
    /// Learning rate of the centres. Default 0.5.
    pub center_lr: f64,
    /// Factor of the batch-hard triplet loss on the pooled features. Default 0: none.
    pub triplet: f64,
    /// Its margin. Default `soft`.
    pub triplet_margin: TripletMargin,
    /// Attribute whose answers are the classes of center loss, triplet loss and samplers. Default: the first given
    /// attribute that has a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// `[sampler]`: which photos make up a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerConfig {
    /// Default `shuffle`.
    pub kind: SamplerKind,
    /// `pk`: classes in a batch; `batch_size` is not used. Default 8.
    pub p: u32,
    /// `pk`: photos of each class. Default 4.
    pub k: u32,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            weighting: Weighting::default(),
            attributes: 1.0,
            center: 0.0,
            center_lr: 0.5,
            triplet: 0.0,
            triplet_margin: TripletMargin::default(),
            of: None,
        }
    }
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { kind: SamplerKind::default(), p: 8, k: 4 }
    }
}

impl LossConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("loss.attributes", self.attributes, 0.0)?;
        at_least("loss.center", self.center, 0.0)?;
        above_zero("loss.center_lr", self.center_lr)?;
        at_least("loss.triplet", self.triplet, 0.0)?;
        match self.triplet_margin {
            TripletMargin::Soft => Ok(()),
            TripletMargin::Hard(margin) => at_least("loss.triplet_margin", margin, 0.0),
        }
    }
}

impl SamplerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("sampler.p", f64::from(self.p), 1.0)?;
        at_least("sampler.k", f64::from(self.k), 1.0)
    }
}
