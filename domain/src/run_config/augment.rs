//! `[augment]`: what happens to a training photo before the network sees it.

use serde::{Deserialize, Serialize};

use super::{
    AugmentPolicy, ConfigError,
    range::{above_zero, at_least, within},
};

/// Probability of erasing under the policy `random-erasing`.
const ERASING: f64 = 0.5;

/// `[augment]`: what happens to a training photo. With `train = "heads"` it is ignored: features are cached.
///
/// Operations and magnitudes are torchvision's. The order is crop, flip, policy, jitter, normalisation, erasing, and then
/// Mixup or CutMix on the batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// The policy. Default `basic`: crop and flip. `none` takes the centre as in evaluation, without flip; the other keys
    /// do what they say under every policy.
    pub policy: AugmentPolicy,
    /// Smallest and largest area of the random crop, as shares of the photo's area. Default 0.35 to 1.
    pub crop_scale: [f64; 2],
    /// Smallest and largest ratio of the crop's width to its height. Default 0.75 to 1.3333.
    pub crop_ratio: [f64; 2],
    /// Probability that left and right are swapped. Default 0.5.
    pub flip: f64,
    /// Strength of the colour jitter: brightness, contrast and saturation by factors from 1 - x to 1 + x, hue by up to x
    /// of the full circle (at most 0.5) either way. Default none.
    pub jitter: [f64; 4],
    /// Probability that a rectangle (2 to 33 % of the area) is erased. Default 0.5 under `random-erasing`, otherwise 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasing: Option<f64>,
    /// Mixup's a in lambda ~ Beta(a, a); 0 is none. Default 0. With CutMix too, each takes half of the batches.
    pub mixup: f64,
    /// CutMix's a in lambda ~ Beta(a, a); 0 is none. Default 0.
    pub cutmix: f64,
    /// `randaugment`: magnitude of the operations, from 0 to 30. Default 9.
    pub magnitude: u32,
    /// `randaugment`: operations a photo. Default 2.
    pub operations: u32,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            policy: AugmentPolicy::default(),
            crop_scale: [0.35, 1.0],
            crop_ratio: [0.75, 1.3333],
            flip: 0.5,
            jitter: [0.0; 4],
            erasing: None,
            mixup: 0.0,
            cutmix: 0.0,
            magnitude: 9,
            operations: 2,
        }
    }
}

impl AugmentConfig {
    /// The probability that a rectangle is erased.
    pub fn erasing_probability(&self) -> f64 {
        self.erasing.unwrap_or(if self.policy == AugmentPolicy::RandomErasing { ERASING } else { 0.0 })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        rising("augment.crop_scale", self.crop_scale)?;
        within("augment.crop_scale", self.crop_scale[0], 0.01, 1.0)?;
        within("augment.crop_scale", self.crop_scale[1], 0.01, 1.0)?;
        rising("augment.crop_ratio", self.crop_ratio)?;
        within("augment.crop_ratio", self.crop_ratio[0], 0.1, 10.0)?;
        within("augment.crop_ratio", self.crop_ratio[1], 0.1, 10.0)?;
        within("augment.flip", self.flip, 0.0, 1.0)?;
        for strength in &self.jitter[..3] {
            within("augment.jitter", *strength, 0.0, 1.0)?;
        }
        within("augment.jitter", self.jitter[3], 0.0, 0.5)?;
        within("augment.erasing", self.erasing_probability(), 0.0, 1.0)?;
        at_least("augment.mixup", self.mixup, 0.0)?;
        at_least("augment.cutmix", self.cutmix, 0.0)?;
        within("augment.magnitude", f64::from(self.magnitude), 0.0, 30.0)?;
        within("augment.operations", f64::from(self.operations), 0.0, 20.0)
    }
}

fn rising(key: &str, [low, high]: [f64; 2]) -> Result<(), ConfigError> {
    above_zero(key, low)?;
    if high >= low {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is [{low}, {high}], the second must not be below the first")))
}
