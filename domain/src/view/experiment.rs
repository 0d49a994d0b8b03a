//! Whether labels pay: variants of training compared on one dataset.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    experiment::Results,
    view::job::{Job, JobState},
};

/// Variants that are compared: the given attributes alone; with what the breed standards, or the mean labels, say of each
/// attribute; with each photo's own labels.
pub const VARIANTS: [&str; 3] = ["baseline", "class-level", "instance-level"];

/// Seeds of an experiment: the fewest that have a spread, and the most.
pub const SEEDS: std::ops::RangeInclusive<u32> = 2..=20;

/// What a lead sends to start an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentInput {
    /// The dataset.
    pub dataset_id: i64,
    /// Trainings of each variant, 2 to 20.
    #[serde(default = "five")]
    pub seeds: u32,
    /// The configuration of all variants (TOML); empty for all defaults. Heads that it names keep their settings.
    #[serde(default)]
    pub config: String,
    /// Also trains on shares of the labels, for the learning curve.
    #[serde(default = "yes")]
    pub curve: bool,
}

fn five() -> u32 {
    5
}

fn yes() -> bool {
    true
}

/// An experiment in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentRow {
    /// Its id.
    pub id: i64,
    /// The dataset's id.
    pub dataset_id: i64,
    /// The dataset's name.
    pub dataset: String,
    /// Where it stands.
    pub state: JobState,
    /// Who started it.
    pub created_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// An experiment with its results so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentDetail {
    /// The row.
    pub row: ExperimentRow,
    /// Its job.
    pub job: Option<Job>,
    /// What was asked for.
    pub input: ExperimentInput,
    /// What the runs that have finished say; none before the first.
    pub results: Option<Results>,
}
