//! Training runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    dataset::Split,
    view::{
        job::{Job, JobState},
        photo::PhotoCard,
    },
};

/// A run in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunRow {
    /// Run id.
    pub id: i64,
    /// Unique in the project.
    pub name: String,
    /// The dataset's id.
    pub dataset_id: i64,
    /// The dataset's name.
    pub dataset: String,
    /// Where it stands.
    pub state: JobState,
    /// Test accuracy per head, once finished.
    pub accuracy: BTreeMap<String, f64>,
    /// Who started it.
    pub created_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A run with everything but its predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunDetail {
    /// The row.
    pub row: RunRow,
    /// Its job.
    pub job: Option<Job>,
    /// The configuration as it was given (TOML).
    pub config: String,
    /// metrics.json, once finished.
    pub metrics: Option<serde_json::Value>,
    /// Curves so far.
    pub curves: Vec<CurvePoint>,
}

/// One point of one curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CurvePoint {
    /// 1-based.
    pub epoch: i32,
    /// `train`, `validation` or `test`.
    pub split: String,
    /// `loss/ear`, `accuracy/breed`, `learning_rate`.
    pub series: String,
    /// The value.
    pub value: f64,
}

/// What a lead sends to start a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrainInput {
    /// The dataset.
    pub dataset_id: i64,
    /// Unique in the project; empty for one made from the dataset's name.
    #[serde(default)]
    pub name: String,
    /// TOML; empty for all defaults.
    #[serde(default)]
    pub config: String,
}

/// A photo that a head got wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mistake {
    /// The photo.
    pub photo: PhotoCard,
    /// Its split.
    pub split: Split,
    /// Value key in the dataset.
    pub answer: String,
    /// Value key that the head put first.
    pub predicted: String,
    /// Its probability.
    pub probability: f64,
}
