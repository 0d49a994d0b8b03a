//! One answer from several: majority with explicit ties, Dawid-Skene, one-coin Dawid-Skene, CROWDLAB.

mod crowdlab;
mod dawid_skene;
mod majority;
mod report;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use crate::{
    csvio::Probabilities,
    votes::{NamedRatings, VoteTable},
};

pub use report::{AnnotatorConsensus, AttributeConsensus, ConsensusReport, ItemConsensus};

/// How several answers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The most frequent answer; several most frequent ones are a tie.
    Majority,
    /// Dawid and Skene 1979: a confusion matrix an annotator, by expectation maximisation.
    DawidSkene,
    /// Dawid-Skene with one accuracy an annotator, errors spread evenly.
    OneCoin,
    /// Goh, Tkachenko and Mueller 2022 (arXiv 2210.06812): annotators and a model, each with a weight.
    Crowdlab,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 4] = [Self::Majority, Self::DawidSkene, Self::OneCoin, Self::Crowdlab];

    /// The method's name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::DawidSkene => "dawid-skene",
            Self::OneCoin => "one-coin",
            Self::Crowdlab => "crowdlab",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a consensus method: choose majority, dawid-skene, one-coin or crowdlab")]
pub struct UnknownMethod(pub String);

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|method| method.as_str() == word).ok_or_else(|| UnknownMethod(word.to_owned()))
    }
}

/// When expectation maximisation stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConsensusOptions {
    /// Iterations after which it stops unconverged.
    pub max_iterations: usize,
    /// It has converged when no probability of the model (prior, confusion) moves by more than this in an iteration.
    pub tolerance: f64,
}

impl Default for ConsensusOptions {
    fn default() -> Self {
        Self { max_iterations: 1000, tolerance: 1e-12 }
    }
}

/// Why there is no consensus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsensusError {
    /// CROWDLAB was asked for without a model.
    #[error("CROWDLAB needs a model's probabilities (item,attribute,answer,probability)")]
    NeedsProbabilities,
}

/// What an item's votes come to, by answer number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Winner {
    /// One answer.
    Answer(u32),
    /// Several answers of the same weight, in order.
    Tied(Vec<u32>),
}

/// Posterior probabilities closer than this are a tie: they differ by rounding only.
const TIE: f64 = 1e-9;

impl Winner {
    /// The largest weight, or those that are within `tolerance` of it.
    fn of(weights: &[f64], tolerance: f64) -> Self {
        let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let winners: Vec<u32> = (0..)
            .zip(weights)
            .filter(|&(_, &weight)| weight >= largest - tolerance)
            .map(|(answer, _)| answer)
            .collect();
        if let [answer] = winners[..] { Self::Answer(answer) } else { Self::Tied(winners) }
    }
}

/// An annotator as the method sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotatorEstimate {
    /// Probability of a right answer, or cleanlab's quality score for CROWDLAB; `None` where nothing can be said.
    pub quality: Option<f64>,
    /// `confusion[true * K + reported]`; a row of zeros where the annotator met no such item.
    pub confusion: Vec<f64>,
    /// Votes given.
    pub votes: usize,
}

/// The consensus on one attribute by numbers, with the names behind them.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// The method that was used: the one asked for, or majority where it could not be.
    pub method: Method,
    /// Items by number, sorted.
    pub items: Vec<&'a str>,
    /// Annotators by number, sorted.
    pub annotators: Vec<&'a str>,
    /// Answer keys by number, sorted; with CROWDLAB also those that only the model knows.
    pub answers: Vec<String>,
    /// By item.
    pub winners: Vec<Winner>,
    /// `posterior[item * K + answer]`; the vote shares under majority.
    pub posterior: Vec<f64>,
    /// CROWDLAB's quality of the consensus, by item; empty for other methods.
    pub quality: Vec<f64>,
    /// By annotator.
    pub estimates: Vec<AnnotatorEstimate>,
    /// Probability of each answer over all items.
    pub prior: Vec<f64>,
    /// Of the votes under the fitted model.
    pub log_likelihood: Option<f64>,
    /// Iterations of expectation maximisation.
    pub iterations: Option<usize>,
    /// Whether it stopped by itself.
    pub converged: Option<bool>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl Decision<'_> {
    /// The posterior of one item, by answer number.
    pub fn posterior(&self, item: usize) -> &[f64] {
        &self.posterior[item * self.answers.len()..(item + 1) * self.answers.len()]
    }
}

/// Decides one attribute. Repeated readings count each, except under CROWDLAB, which takes the first.
///
/// # Errors
/// CROWDLAB without probabilities. An attribute or item that the model does not know is decided by majority, with a warning.
pub fn decide<'a>(
    attribute: &str,
    named: NamedRatings<'a>,
    method: Method,
    probabilities: Option<&Probabilities>,
    options: &ConsensusOptions,
) -> Result<Decision<'a>, ConsensusError> {
    Ok(match method {
        Method::Majority => majority::decide(named),
        Method::DawidSkene => dawid_skene::decide(named, dawid_skene::Errors::Confusion, options),
        Method::OneCoin => dawid_skene::decide(named, dawid_skene::Errors::OneCoin, options),
        Method::Crowdlab => {
            let probabilities =
                probabilities.filter(|all| !all.is_empty()).ok_or(ConsensusError::NeedsProbabilities)?;
            crowdlab::decide(attribute, named, probabilities)
        }
    })
}

/// Decides every attribute of the table.
///
/// # Errors
/// As [`decide`].
pub fn consensus(
    table: &VoteTable,
    method: Method,
    probabilities: Option<&Probabilities>,
    options: &ConsensusOptions,
) -> Result<ConsensusReport, ConsensusError> {
    let mut report = ConsensusReport::default();
    for attribute in table.attributes() {
        let Some(named) = table.ratings(attribute) else { continue };
        let decision = decide(attribute, named, method, probabilities, options)?;
        report.warnings.extend(decision.warnings.iter().map(|warning| format!("{attribute}: {warning}")));
        report.attributes.insert(attribute.to_owned(), AttributeConsensus::from(&decision));
    }
    report.warnings.sort_unstable();
    Ok(report)
}
