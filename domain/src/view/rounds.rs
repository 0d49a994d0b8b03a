//! Active learning: rounds of answering what the model doubts, and training anew.

use serde::{Deserialize, Serialize};

use crate::{
    run_config::RunConfig,
    view::{queue::QueueOrder, run::RunRow},
};

/// What a lead sends to begin a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundInput {
    /// Which photos come first once the model is trained: by its doubt.
    pub order: QueueOrder,
    /// The run's configuration (TOML); empty for all defaults.
    #[serde(default)]
    pub config: String,
}

/// A run and the labels that had been given when its dataset was frozen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Round {
    /// The run.
    pub run: RunRow,
    /// Labels that stood at the freeze, of all photos and attributes, gold ones left out.
    pub labels: i64,
}

/// Where the loop stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rounds {
    /// The order of the queue.
    pub order: QueueOrder,
    /// All runs of the project, the oldest first.
    pub rounds: Vec<Round>,
    /// Labels given since the newest run's dataset was frozen; all where there is no run.
    pub fresh: i64,
    /// Photos that wait for an answer.
    pub open: i64,
    /// The newest run's configuration (TOML).
    pub config: Option<String>,
}

impl Rounds {
    /// Whether a round with this configuration would say what the newest run has said: nothing has been answered since, and it
    /// is configured alike (or there is neither a run nor a label).
    pub fn would_repeat(&self, config: &RunConfig) -> bool {
        let is_alike = |text: &String| RunConfig::from_toml(text).is_ok_and(|earlier| earlier == *config);
        self.fresh == 0 && self.config.as_ref().is_none_or(is_alike)
    }
}
