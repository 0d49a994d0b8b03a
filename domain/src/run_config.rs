//! A run's configuration: what the trainer does, in TOML (`kenami train --config FILE`) or JSON (REST).
//!
//! Every key has a default ([`DEFAULTS`] is the commented file that says the same), an unknown key is an error, and an
//! error names the key, its line and its column.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod choices;
mod error;

pub use choices::{
    Attention, AugmentPolicy, LossName, ModelName, OptimizerName, PriorSource, ScheduleName, Targets, TrainPart,
};
pub use error::ConfigError;

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
    /// What the head learns. Default `instance`.
    pub targets: Targets,
}

/// `[optimizer]`: how the weights move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The rule. Default `sgd`.
    pub name: OptimizerName,
    /// Highest learning rate. Default 0.01.
    pub lr: f64,
    /// `sgd`: momentum. Default 0.9.
    pub momentum: f64,
    /// `sgd`: Nesterov's variant of momentum. Default false.
    pub nesterov: bool,
    /// Weight decay on weights, not on biases: added to the gradient by `sgd` and `adam`, decoupled in `adamw`. Default 1e-4.
    pub weight_decay: f64,
    /// `adam`, `adamw`: decay of the mean of gradients. Default 0.9.
    pub beta1: f64,
    /// `adam`, `adamw`: decay of the mean of squared gradients. Default 0.999.
    pub beta2: f64,
    /// `adam`, `adamw`: added to the denominator. Default 1e-8.
    pub eps: f64,
}

/// `[schedule]`: how the learning rate moves, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The shape. Default `one-cycle`.
    pub name: ScheduleName,
    /// Linear warm-up from 0 before the shape begins, in epochs. Default 0.
    pub warmup_epochs: f64,
    /// `one-cycle`: share of the steps in which the rate rises. Default 0.25.
    pub rise: f64,
    /// `one-cycle`: the first rate is lr / start_div. Default 25.
    pub start_div: f64,
    /// `one-cycle`: the last rate is lr / final_div. Default 1e5.
    pub final_div: f64,
    /// `cosine`, `cosine-restarts`, `plateau`: the lowest rate as a share of lr. Default 0.
    pub min_ratio: f64,
    /// `step`: epochs between two drops. Default 4.
    pub step_epochs: f64,
    /// `step`, `plateau`: the rate's factor at a drop. Default 0.1.
    pub gamma: f64,
    /// `cosine-restarts`: length of the first period, in epochs. Default 2.
    pub restart_epochs: f64,
    /// `cosine-restarts`: factor of a period's length from one to the next. Default 2.
    pub restart_mul: f64,
    /// `cosine-restarts`: factor of the highest rate from one period to the next. Default 1.
    pub restart_decay: f64,
    /// `plateau`: epochs without progress of the validation loss before a drop. Default 2.
    pub patience: u32,
}

/// `[augment]`: what happens to a training photo. With `train = "heads"` it is ignored: features are cached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// The policy. Default `basic`.
    pub policy: AugmentPolicy,
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
        }
    }
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self { loss: LossName::default(), smoothing: None, weight: 1.0, prior: None, targets: Targets::default() }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            name: OptimizerName::default(),
            lr: 0.01,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-4,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            name: ScheduleName::default(),
            warmup_epochs: 0.0,
            rise: 0.25,
            start_div: 25.0,
            final_div: 1e5,
            min_ratio: 0.0,
            step_epochs: 4.0,
            gamma: 0.1,
            restart_epochs: 2.0,
            restart_mul: 2.0,
            restart_decay: 1.0,
            patience: 2,
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
        self.optimizer.validate()?;
        self.schedule.validate()?;
        for (attribute, head) in &self.heads {
            head.validate(attribute)?;
        }
        Ok(())
    }
}

impl OptimizerConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        above_zero("optimizer.lr", self.lr)?;
        below_one("optimizer.momentum", self.momentum)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(ConfigError::at("optimizer.nesterov", "needs a momentum above 0"));
        }
        at_least("optimizer.weight_decay", self.weight_decay, 0.0)?;
        below_one("optimizer.beta1", self.beta1)?;
        below_one("optimizer.beta2", self.beta2)?;
        above_zero("optimizer.eps", self.eps)
    }
}

impl ScheduleConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        at_least("schedule.warmup_epochs", self.warmup_epochs, 0.0)?;
        within("schedule.rise", self.rise, 0.0, 1.0)?;
        at_least("schedule.start_div", self.start_div, 1.0)?;
        at_least("schedule.final_div", self.final_div, 1.0)?;
        within("schedule.min_ratio", self.min_ratio, 0.0, 1.0)?;
        above_zero("schedule.step_epochs", self.step_epochs)?;
        within("schedule.gamma", self.gamma, 0.0, 1.0)?;
        above_zero("schedule.restart_epochs", self.restart_epochs)?;
        at_least("schedule.restart_mul", self.restart_mul, 1.0)?;
        within("schedule.restart_decay", self.restart_decay, 0.0, 1.0)
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

fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), ConfigError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be from {low} to {high}")))
}

fn at_least(key: &str, value: f64, low: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value >= low {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be {low} or more")))
}

fn above_zero(key: &str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be above 0")))
}

fn below_one(key: &str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be 0 or more and below 1")))
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
pub const ALLOWED_HUB_MODELS: &[&str] = &["timm/tf_efficientnet_lite0.in1k"];

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
