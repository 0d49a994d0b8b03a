//! A run's configuration: what the trainer does, in TOML (`kenami train --config FILE`) or JSON (REST).
//!
//! Every key has a default ([`DEFAULTS`] is the commented file that says the same), an unknown key is an error, and an
//! error names the key, its line and its column.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod augment;
mod brief;
mod choices;
mod error;
mod objective;
mod optimizer;
mod process;
mod range;
mod recipes;

pub use augment::AugmentConfig;
pub use choices::{
    Attention, AugmentPolicy, AuxiliaryWeight, Compute, Keep, LossName, ModelName, OptimizerName, PriorSource,
    SamplerKind, ScheduleName, StopMetric, Targets, TrainPart, TripletMargin, Votes, Weighting,
};
pub use error::ConfigError;
pub use objective::{LossConfig, SamplerConfig};
pub use optimizer::{OptimizerConfig, ScheduleConfig};
pub use process::{AuxiliaryConfig, DataConfig, EvaluateConfig, PseudoConfig, StopConfig};
use range::{at_least, below_one, within};

/// The default configuration as a commented TOML file.
pub const DEFAULTS: &str = include_str!("run_config/defaults.toml");

/// Everything that decides a run, apart from its dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Seed of every random choice. Default 0.
    pub seed: u64,
    /// Passes over the training photos. Default 10.
    pub epochs: u32,
    /// Photos a step. Default 32.
    pub batch_size: u32,
    /// Side of the square that the network sees, in pixels. Default 224.
    pub image_size: u32,
    /// The network.
    pub model: ModelConfig,
    /// How the weights move.
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves.
    pub schedule: ScheduleConfig,
    /// What happens to a training photo before the network sees it.
    pub augment: AugmentConfig,
    /// How the heads' losses add up, and losses on the pooled features.
    pub loss: LossConfig,
    /// Which photos make up a batch.
    pub sampler: SamplerConfig,
    /// When the run ends.
    pub stop: StopConfig,
    /// How photos are read.
    pub data: DataConfig,
    /// What is done with the trained model.
    pub evaluate: EvaluateConfig,
    /// A second round with the model's own answers.
    pub pseudo: PseudoConfig,
    /// Training photos from another set.
    pub auxiliary: AuxiliaryConfig,
    /// One head per attribute key. Empty (the default): every attribute with two or more labelled values in train, each
    /// with [`HeadConfig::default`]. Otherwise exactly these.
    pub heads: BTreeMap<String, HeadConfig>,
}

/// `[model]`: the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// The trunk. Default `efficientnet_lite0`.
    pub name: ModelName,
    /// Pretrained weights, see [`weights_kind`]. Default `demo`.
    pub weights: String,
    /// What is trained. Default `heads`: the trunk's pooled features are computed once and cached.
    pub train: TrainPart,
    /// Spatial attention before pooling. Default `none`.
    pub attention: Attention,
    /// `multi`: number of masks. Default 4.
    pub attention_masks: u32,
    /// Share of the pooled features that are set to 0 in training. Default 0.
    pub dropout: f64,
    /// Keeps batch-norm at its pretrained statistics. Default false: they follow the batches.
    pub frozen_norm: bool,
    /// Where a trained network runs; a frozen one runs on the processor. Default `auto`.
    pub device: Compute,
}

/// `[heads.ATTRIBUTE]`: one classification head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// The loss. Default `cross-entropy`.
    pub loss: LossName,
    /// Label smoothing `a`: the target becomes `(1 - a) t + a / K`. Default 0.1 for given attributes, 0.2 for annotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothing: Option<f64>,
    /// The head's factor in the sum of losses. Default 1.
    pub weight: f64,
    /// Where the expected distribution comes from. Default: the dataset's table where there is one, else the training part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorSource>,
    /// What it sees of several votes. Default `distribution`.
    pub votes: Votes,
    /// What the head learns. Default `instance`.
    pub targets: Targets,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            epochs: 10,
            batch_size: 32,
            image_size: 224,
            model: ModelConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            augment: AugmentConfig::default(),
            loss: LossConfig::default(),
            sampler: SamplerConfig::default(),
            stop: StopConfig::default(),
            data: DataConfig::default(),
            evaluate: EvaluateConfig::default(),
            pseudo: PseudoConfig::default(),
            auxiliary: AuxiliaryConfig::default(),
            heads: BTreeMap::new(),
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: ModelName::default(),
            weights: "demo".to_owned(),
            train: TrainPart::default(),
            attention: Attention::default(),
            attention_masks: 4,
            dropout: 0.0,
            frozen_norm: false,
            device: Compute::default(),
        }
    }
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            loss: LossName::default(),
            smoothing: None,
            weight: 1.0,
            prior: None,
            votes: Votes::default(),
            targets: Targets::default(),
        }
    }
}

impl RunConfig {
    /// Reads a TOML text; keys that are absent take their defaults.
    ///
    /// # Errors
    /// Broken TOML, an unknown key, a value of the wrong type or outside its range; with key, line and column.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::from_toml(&error, text))?;
        config.validate().map_err(|error| error.located_in(text))?;
        Ok(config)
    }

    /// Side of the square that a trained network is evaluated on, in pixels.
    pub fn evaluation_size(&self) -> u32 {
        match (self.model.train, self.evaluate.image_size) {
            (TrainPart::All, size) if size > 0 => size,
            _ => self.image_size,
        }
    }

    /// The configuration as TOML, every key written out; [`Self::from_toml`] reads it back to an equal value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a run configuration has only tables, numbers and strings")
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// The first value out of range, by key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        at_least("epochs", f64::from(self.epochs), 1.0)?;
        at_least("batch_size", f64::from(self.batch_size), 1.0)?;
        within("image_size", f64::from(self.image_size), 32.0, 1024.0)?;
        if self.model.weights.trim().is_empty() {
            return Err(ConfigError::at("model.weights", "is empty: give \"demo\", \"none\", a path or a hub name"));
        }
        within("model.attention_masks", f64::from(self.model.attention_masks), 1.0, 64.0)?;
        below_one("model.dropout", self.model.dropout)?;
        self.optimizer.validate()?;
        self.schedule.validate()?;
        self.augment.validate()?;
        self.loss.validate()?;
        self.sampler.validate()?;
        self.stop.validate()?;
        self.data.validate()?;
        self.evaluate.validate()?;
        self.pseudo.validate()?;
        self.auxiliary.validate()?;
        for (attribute, head) in &self.heads {
            head.validate(attribute)?;
        }
        self.has_head("loss.of", self.loss.of.as_deref())?;
        self.has_head("stop.head", self.stop.head.as_deref())
    }

    /// Where heads are named, a key that names one names one of these.
    fn has_head(&self, key: &str, head: Option<&str>) -> Result<(), ConfigError> {
        match head {
            Some(head) if !self.heads.is_empty() && !self.heads.contains_key(head) => {
                let known: Vec<&str> = self.heads.keys().map(String::as_str).collect();
                Err(ConfigError::at(key, format!("is \"{head}\", but the heads are {}", known.join(", "))))
            }
            _ => Ok(()),
        }
    }
}

impl HeadConfig {
    fn validate(&self, attribute: &str) -> Result<(), ConfigError> {
        let key = |name: &str| format!("heads.{attribute}.{name}");
        if let Some(smoothing) = self.smoothing {
            below_one(&key("smoothing"), smoothing)?;
        }
        at_least(&key("weight"), self.weight, 0.0)?;
        if let Targets::Shrink(k) = self.targets {
            at_least(&key("targets"), k, 0.0)?;
        }
        Ok(())
    }
}

/// What a `model.weights` text means; nothing is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsKind<'a> {
    /// `none`: random initial weights.
    None,
    /// `demo`: those that come with kenami.
    Demo,
    /// `run:ID`: the weights of an earlier run.
    Run(&'a str),
    /// `owner/name` or `hf:owner/name`, optionally `@revision`: a model on the Hugging Face hub.
    Hub(&'a str),
    /// Anything else: a file.
    Path(&'a str),
}

/// Sorts a `model.weights` text by its form alone, so that a page can refuse paths without touching the disk. A file in
/// a folder that looks like `owner/name` is written `./owner/name`.
pub fn weights_kind(weights: &str) -> WeightsKind<'_> {
    match weights {
        "none" => return WeightsKind::None,
        "demo" => return WeightsKind::Demo,
        _ => {}
    }
    if let Some(run) = weights.strip_prefix("run:") {
        return WeightsKind::Run(run);
    }
    if let Some(name) = weights.strip_prefix("hf:") {
        return WeightsKind::Hub(name);
    }
    if is_hub_name(weights) { WeightsKind::Hub(weights) } else { WeightsKind::Path(weights) }
}

/// The models of the Hugging Face hub that a page or a script may name. The command line may name any.
pub const ALLOWED_HUB_MODELS: &[&str] = &[
    "timm/tf_efficientnet_lite0.in1k",
    "timm/tf_efficientnet_lite1.in1k",
    "timm/tf_efficientnet_lite2.in1k",
    "timm/efficientnet_b0.ra_in1k",
    "timm/efficientnet_b1.ft_in1k",
    "timm/efficientnet_b2.ra_in1k",
    "timm/efficientnet_b3.ra2_in1k",
    "timm/efficientnet_b4.ra2_in1k",
    "timm/resnet18.tv_in1k",
    "timm/resnet18.a1_in1k",
    "timm/resnet34.tv_in1k",
    "timm/resnet34.a1_in1k",
    "timm/resnet50.tv_in1k",
    "timm/resnet50.tv2_in1k",
    "timm/resnet50.a1_in1k",
    "timm/resnet101.tv_in1k",
    "timm/resnet101.tv2_in1k",
    "timm/resnet101.a1_in1k",
    "timm/resnet152.tv_in1k",
    "timm/resnet152.tv2_in1k",
    "timm/resnet152.a1_in1k",
    "timm/wide_resnet50_2.tv_in1k",
    "timm/wide_resnet50_2.tv2_in1k",
    "timm/resnext50_32x4d.tv_in1k",
    "timm/resnext50_32x4d.tv2_in1k",
    "timm/resnext50_32x4d.a1_in1k",
    "timm/convnext_tiny.fb_in1k",
    "timm/convnext_tiny.fb_in22k_ft_in1k",
    "timm/convnext_tiny.in12k_ft_in1k",
    "timm/vit_small_patch14_dinov2.lvd142m",
];

/// Those of [`ALLOWED_HUB_MODELS`] that hold weights of a network, the usual choice first.
pub fn hub_models(name: ModelName) -> impl Iterator<Item = &'static str> {
    let prefix = match name {
        ModelName::EfficientnetLite0 | ModelName::EfficientnetLite1 | ModelName::EfficientnetLite2 => {
            format!("timm/tf_{name}.")
        }
        ModelName::Dinov2Vits14 => "timm/vit_small_patch14_dinov2.".to_owned(),
        _ => format!("timm/{name}."),
    };
    ALLOWED_HUB_MODELS.iter().copied().filter(move |model| model.starts_with(&prefix))
}

fn is_hub_name(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let (name, revision) = text.split_once('@').map_or((text, None), |(name, revision)| (name, Some(revision)));
    let is_file = [".safetensors", ".pth", ".pt", ".bin"].iter().any(|extension| name.ends_with(extension));
    let is_pair = name.split_once('/').is_some_and(|(owner, model)| is_word(owner) && is_word(model));
    is_pair && !is_file && revision.is_none_or(is_word)
}

#[cfg(test)]
mod tests;
