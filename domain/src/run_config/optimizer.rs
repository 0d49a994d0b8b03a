//! How the weights and the learning rate move.

use serde::{Deserialize, Serialize};

use super::{
    ConfigError, OptimizerName, ScheduleName,
    range::{above_zero, at_least, below_one, within},
};

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
    /// Highest norm of all gradients together; longer ones are scaled down to it. Default 0: none.
    pub clip_norm: f64,
    /// Batches whose gradients are averaged for one step. Default 1.
    pub accumulate: u32,
    /// The trunk's rate as a share of `lr`, which is the heads'. Default 0.1.
    pub trunk_lr: f64,
    /// Factor of the rate from one of the trunk's stages to the one before it (discriminative rates). Default 1.
    pub layer_decay: f64,
    /// Decay of the exponential moving average of the weights, by which they are judged and kept. Default 0: none.
    pub ema: f64,
    /// Strength of the trunk's decay towards its pretrained weights (L2-SP), which replaces its decay towards 0.
    /// Default 0: plain weight decay.
    pub anchor: f64,
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
    /// Epochs in which the heads learn alone before the trunk is unfrozen. Default 0.
    pub freeze_epochs: u32,
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
            clip_norm: 0.0,
            accumulate: 1,
            trunk_lr: 0.1,
            layer_decay: 1.0,
            ema: 0.0,
            anchor: 0.0,
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
            freeze_epochs: 0,
        }
    }
}

impl OptimizerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        above_zero("optimizer.lr", self.lr)?;
        below_one("optimizer.momentum", self.momentum)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(ConfigError::at("optimizer.nesterov", "needs a momentum above 0"));
        }
        at_least("optimizer.weight_decay", self.weight_decay, 0.0)?;
        below_one("optimizer.beta1", self.beta1)?;
        below_one("optimizer.beta2", self.beta2)?;
        above_zero("optimizer.eps", self.eps)?;
        at_least("optimizer.clip_norm", self.clip_norm, 0.0)?;
        at_least("optimizer.accumulate", f64::from(self.accumulate), 1.0)?;
        within("optimizer.trunk_lr", self.trunk_lr, 0.0, 10.0)?;
        within("optimizer.layer_decay", self.layer_decay, 0.0, 1.0)?;
        below_one("optimizer.ema", self.ema)?;
        at_least("optimizer.anchor", self.anchor, 0.0)
    }
}

impl ScheduleConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
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
