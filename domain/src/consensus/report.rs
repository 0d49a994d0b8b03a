//! The consensus as `kenami consensus --json` writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Decision, Winner};
use crate::answer::Answer;

/// Consensus on all attributes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConsensusReport {
    /// By attribute key.
    pub attributes: BTreeMap<String, AttributeConsensus>,
    /// What the reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl ConsensusReport {
    /// Puts a reviewer's decision over an item's votes: the answer becomes certain, a tie is no more.
    pub fn adjudicate(&mut self, item: &str, attribute: &str, answer: &Answer) {
        let items = &mut self.attributes.entry(attribute.to_owned()).or_default().items;
        let decided = ItemConsensus {
            answer: Some(answer.clone()),
            posterior: BTreeMap::from([(answer.key().to_owned(), 1.0)]),
            tied: Vec::new(),
            quality: None,
            adjudicated: true,
        };
        items.insert(item.to_owned(), decided);
    }
}

/// Consensus on one attribute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AttributeConsensus {
    /// The method that was used: the one asked for, or majority where it could not be.
    #[serde(default)]
    pub method: String,
    /// By item.
    pub items: BTreeMap<String, ItemConsensus>,
    /// By annotator.
    pub annotators: BTreeMap<String, AnnotatorConsensus>,
    /// Probability of each answer over all items.
    pub prior: BTreeMap<String, f64>,
    /// Of the votes under the fitted model; `None` where the method has none.
    pub log_likelihood: Option<f64>,
    /// Iterations of expectation maximisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    /// Whether it stopped by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converged: Option<bool>,
}

/// Consensus on one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemConsensus {
    /// The answer; `None` for a tie.
    pub answer: Option<Answer>,
    /// Probability per answer; the vote shares under majority.
    pub posterior: BTreeMap<String, f64>,
    /// The answers that tie; empty where there is no tie.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<String>,
    /// CROWDLAB's quality of the consensus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// Whether a reviewer decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adjudicated: bool,
}

/// One annotator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnnotatorConsensus {
    /// sum_k prior_k confusion_kk for Dawid-Skene, cleanlab's annotator quality for CROWDLAB, the share of answers like the
    /// untied majority else; `None` where nothing can be said.
    pub quality: Option<f64>,
    /// Probability of each reported answer by true answer; true answers that the annotator never met are left out.
    pub confusion: BTreeMap<String, BTreeMap<String, f64>>,
    /// Votes given.
    #[serde(default)]
    pub votes: usize,
}

impl From<&Decision<'_>> for AttributeConsensus {
    fn from(decision: &Decision<'_>) -> Self {
        let name = |answer: u32| decision.answers[answer as usize].clone();
        let named = |row: &[f64]| decision.answers.iter().cloned().zip(row.iter().copied()).collect();
        let items = decision.items.iter().enumerate().map(|(number, &item)| {
            let (answer, tied) = match &decision.winners[number] {
                Winner::Answer(answer) => (Some(Answer::from(name(*answer))), Vec::new()),
                Winner::Tied(tied) => (None, tied.iter().map(|&answer| name(answer)).collect()),
            };
            let quality = decision.quality.get(number).copied();
            let posterior = named(decision.posterior(number));
            (item.to_owned(), ItemConsensus { answer, posterior, tied, quality, adjudicated: false })
        });
        let annotators = decision.annotators.iter().zip(&decision.estimates).map(|(&annotator, estimate)| {
            let rows = decision.answers.iter().zip(estimate.confusion.chunks_exact(decision.answers.len()));
            let met = rows.filter(|(_, row)| row.iter().any(|&p| p > 0.0));
            let confusion = met.map(|(answer, row)| (answer.clone(), named(row))).collect();
            (annotator.to_owned(), AnnotatorConsensus { quality: estimate.quality, confusion, votes: estimate.votes })
        });
        Self {
            method: decision.method.to_string(),
            items: items.collect(),
            annotators: annotators.collect(),
            prior: named(&decision.prior),
            log_likelihood: decision.log_likelihood,
            iterations: decision.iterations,
            converged: decision.converged,
        }
    }
}
