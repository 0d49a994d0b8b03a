//! A head's outputs over a dataset.

use kenami_domain::{
    dataset::{Item, Split},
    run_config::LossName,
};

use crate::{
    calibrate::{fit, tempered},
    data::HeadData,
};

/// What a head says of every item of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredHead {
    /// The attribute's key.
    pub attribute: String,
    /// Value keys, in the logits' order.
    pub labels: Vec<String>,
    /// The loss, which decides how logits become probabilities.
    pub loss: LossName,
    /// The trusted answer of each item.
    pub truth: Vec<Option<usize>>,
    /// `[items, labels]`.
    pub logits: Vec<f32>,
    /// What the logits are divided by; `None` until [`Self::calibrate`] finds it.
    pub temperature: Option<f64>,
}

impl ScoredHead {
    /// With logits `[items, labels]` and no temperature.
    ///
    /// # Panics
    /// There is not a logit for each item and label.
    pub fn new(head: &HeadData, logits: Vec<f32>) -> Self {
        assert_eq!(logits.len(), head.truth.len() * head.labels.len(), "a logit for each item and label");
        Self {
            attribute: head.attribute.clone(),
            labels: head.labels.clone(),
            loss: head.config.loss,
            truth: head.truth.clone(),
            logits,
            temperature: None,
        }
    }

    /// Fits the temperature on the items of the validation part.
    pub fn calibrate(&mut self, items: &[Item]) {
        let photos: Vec<_> = self.answered(items, Split::Validation).map(|(i, answer)| (self.row(i), answer)).collect();
        self.temperature = fit(self.loss, &photos);
    }

    /// An item's logits.
    pub fn row(&self, item: usize) -> &[f32] {
        &self.logits[item * self.labels.len()..(item + 1) * self.labels.len()]
    }

    /// An item's probabilities at a temperature of its caller's choice.
    pub fn distribution(&self, item: usize, temperature: f64) -> Vec<f64> {
        tempered(self.loss, self.row(item), temperature)
    }

    /// An item's probabilities after temperature scaling, where there is a temperature.
    pub fn probabilities(&self, item: usize) -> Vec<f64> {
        self.distribution(item, self.temperature.unwrap_or(1.0))
    }

    /// The items of a split that have an answer, with it.
    pub fn answered<'a>(&'a self, items: &'a [Item], split: Split) -> impl Iterator<Item = (usize, usize)> + 'a {
        let of_split = items.iter().zip(&self.truth).enumerate().filter(move |(_, (item, _))| item.split == split);
        of_split.filter_map(|(i, (_, truth))| Some((i, (*truth)?)))
    }
}
