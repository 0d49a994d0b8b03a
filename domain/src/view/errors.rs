//! What a run gets wrong, and why.

use serde::{Deserialize, Serialize};

use crate::{
    dataset::Split,
    statistics::tables::{Ratio, Stratified, TwoByTwo},
    view::photo::PhotoCard,
};

/// Which photos an error analysis looks at. None of them was seen by the model that judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// Test and validation photos by the run's model; and where the run has folds, all others by the fold that held them out.
    #[default]
    Unseen,
    /// Test photos alone.
    Test,
}

/// Errors of a run on photos that it has not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunErrors {
    /// The run.
    pub run_id: i64,
    /// Its name.
    pub run: String,
    /// Which photos.
    pub sample: Sample,
    /// Test photos, judged by the run's model.
    pub test: i64,
    /// Validation photos, judged by the run's model; it has chosen its temperature on them.
    pub validation: i64,
    /// Photos judged by the fold that held them out.
    pub folds: i64,
    /// Annotated attributes first, in the dataset's order.
    pub heads: Vec<HeadErrors>,
    /// Whether mistakes on annotated attributes explain those on given ones.
    pub explanations: Vec<Explanation>,
}

/// Errors of one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeadErrors {
    /// Attribute key.
    pub attribute: String,
    /// The attribute comes with the photos.
    pub given: bool,
    /// All photos.
    pub score: Score,
    /// Mean of -ln p(answer), in nats.
    pub loss: f64,
    /// By its own values, then by given attributes' values; the worst first.
    pub groups: Vec<ScoreGroup>,
    /// The most confused pairs.
    pub confused: Vec<ConfusedPhotos>,
    /// The photos with the largest losses.
    pub losses: Vec<Case>,
    /// How well its probabilities fit.
    pub calibration: Option<Calibration>,
}

/// Right answers among photos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// Value key; empty for all of them.
    pub value: String,
    /// Photos.
    pub photos: i64,
    /// Of those, predicted right.
    pub right: i64,
    /// The 95 % interval of the share (Wilson).
    pub interval: Option<[f64; 2]>,
}

impl Score {
    /// The share that is right; 0 where there is no photo.
    pub fn share(&self) -> f64 {
        if self.photos > 0 { self.right as f64 / self.photos as f64 } else { 0.0 }
    }
}

/// Scores by the values of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScoreGroup {
    /// Attribute key.
    pub by: String,
    /// The worst first.
    pub scores: Vec<Score>,
}

/// An answer and what it is taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfusedValues {
    /// Value key in the dataset.
    pub answer: String,
    /// Value key that the head puts first.
    pub predicted: String,
    /// Photos.
    pub count: i64,
    /// Photos with this answer.
    pub of: i64,
}

/// A confused pair with some of its photos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfusedPhotos {
    /// The pair.
    #[serde(flatten)]
    pub pair: ConfusedValues,
    /// The largest losses first.
    pub cases: Vec<Case>,
}

/// A photo and what a head says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// The photo.
    pub photo: PhotoCard,
    /// Its split.
    pub split: Split,
    /// Value key in the dataset.
    pub answer: String,
    /// Value key that the head puts first.
    pub predicted: String,
    /// Its probability.
    pub probability: f64,
    /// The probability of the answer.
    pub of_answer: f64,
    /// `-ln p(answer)`, in nats.
    pub loss: f64,
    /// The run's file that shows where its network looked, if it has one.
    pub overlay: Option<String>,
}

/// Calibration of a head as the run's report has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Calibration {
    /// The split that it was measured on.
    pub split: Split,
    /// Photos.
    pub photos: i64,
    /// Expected calibration error before temperature scaling.
    pub before: f64,
    /// After it, where there is a temperature.
    pub after: Option<f64>,
    /// The run's file with accuracy over confidence.
    pub picture: Option<String>,
}

/// Whether a given attribute (breed) is wrong more often where an annotated one is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The given attribute.
    pub given: String,
    /// The annotated one.
    pub attribute: String,
    /// The group: photos whose annotated attribute is predicted wrong. A hit: the given attribute is, too.
    pub table: TwoByTwo,
    /// How many times as often the given attribute is wrong in the group.
    pub ratio: Option<Ratio>,
    /// Fisher's exact test of equal rates, two-sided.
    pub fisher: f64,
    /// The same within the given attribute's values: hard values cannot explain it.
    pub stratified: Option<Stratified>,
    /// Confused values that the annotated attribute tells apart.
    pub told_apart: Vec<ToldApart>,
}

/// Two confused values of a given attribute whose standards, or labels, differ in an annotated one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToldApart {
    /// What the photos are.
    pub answer: String,
    /// What they are taken for.
    pub predicted: String,
    /// Photos.
    pub photos: i64,
    /// The annotated attribute's most frequent value where the answer holds.
    pub of_answer: String,
    /// The same where the prediction holds.
    pub of_predicted: String,
    /// How far the two distributions are apart, 0 to 1 (total variation).
    pub distance: f64,
    /// Of the photos, those with an answer to the annotated attribute.
    pub judged: i64,
    /// Of these, predicted wrong in the annotated attribute.
    pub wrong: i64,
}
