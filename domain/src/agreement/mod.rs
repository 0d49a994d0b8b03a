//! How far annotators agree, per attribute: percent, Krippendorff's alpha, Cohen, Fleiss and Gwet, with bootstrap intervals;
//! which answers are confused, and what that costs; the same by breed, guideline version, week or whatever else is known.

mod annotators;
mod bootstrap;
mod coefficients;
mod cohen;
mod confusion;
mod groups;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use annotators::AnnotatorAgreement;
pub use bootstrap::{Bootstrap, Intervals};
pub use coefficients::{ItemCounts, Tally, Undefined};
pub use cohen::{CohenPair, Kappa};
pub use confusion::ConfusedPair;
pub use groups::{AttributeGroups, grouped, iso_week, latest};

use crate::{
    answer::{NOT_VISIBLE, UNSURE},
    votes::{NamedRatings, VoteTable},
};

/// What to compute beyond the coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreementOptions {
    /// Bootstrap intervals; none by default.
    pub bootstrap: Option<Bootstrap>,
    /// The figures of every pair of annotators; wanted by default.
    pub pairs: bool,
}

impl Default for AgreementOptions {
    fn default() -> Self {
        Self { bootstrap: None, pairs: true }
    }
}

/// Agreement of all attributes: `kenami agreement --json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgreementReport {
    /// By attribute key.
    pub attributes: BTreeMap<String, AttributeAgreement>,
    /// What the reader should know: repeated readings that were left out, resamples without a figure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How the intervals were made, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// The same figures for parts of the votes, where asked for: by what they are grouped, then by attribute, then by group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, AttributeGroups<String>>,
}

/// Agreement on one attribute. `not_visible` and `unsure` are answers like any other, except where said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AttributeReport))]
pub struct AttributeAgreement {
    /// Items with at least one vote.
    pub items: usize,
    /// Annotators with at least one vote.
    pub annotators: usize,
    /// Votes, one an annotator and item.
    pub votes: usize,
    /// Mean over the items with two or more votes of the share of agreeing pairs.
    pub percent: Option<f64>,
    /// Krippendorff's nominal alpha.
    pub alpha: Option<f64>,
    /// Krippendorff's nominal alpha with `not_visible` and `unsure` left out.
    pub alpha_not_visible_missing: Option<f64>,
    /// Fleiss' kappa.
    pub fleiss: Option<f64>,
    /// Gwet's AC1.
    pub ac1: Option<f64>,
    /// Every pair of annotators with an item in common: Cohen's kappa, and the other figures on these items.
    pub cohen: Vec<CohenPair>,
    /// Every annotator against the others, by name.
    #[serde(default)]
    pub by_annotator: Vec<AnnotatorAgreement>,
    /// The answers that stand against each other, those first that cost alpha most.
    #[serde(default)]
    pub confused: Vec<ConfusedPair>,
    /// Why a figure is null, by its name.
    pub undefined: BTreeMap<String, String>,
    /// Bootstrap interval of a figure, by its name, where asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// In how many resamples of the bootstrap a figure was undefined, where it was in any; its interval leaves them out, and
    /// there is none where they are more than half.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undefined_resamples: BTreeMap<String, usize>,
}

/// Agreement on every attribute of the table. A repeated reading of an item by one annotator is left out, with a warning.
pub fn agreement(table: &VoteTable, options: &AgreementOptions) -> AgreementReport {
    let mut report = AgreementReport { bootstrap: options.bootstrap, ..Default::default() };
    for attribute in table.attributes() {
        let Some(named) = table.ratings(attribute) else { continue };
        let (first, repeated) = named.ratings.first_readings();
        if repeated > 0 {
            report.warnings.push(format!(
                "{attribute}: {repeated} repeated readings of an item by the same annotator were left out"
            ));
        }
        let named = NamedRatings { ratings: first, ..named };
        let found = attribute_agreement(&named, options);
        report.warnings.extend(found.undefined_resamples.iter().map(|(figure, resamples)| {
            let all = options.bootstrap.map_or(0, |bootstrap| bootstrap.resamples);
            let there = if found.intervals.contains_key(figure) {
                "its interval leaves them out"
            } else {
                "it has no interval"
            };
            format!("{attribute}: {figure} is undefined in {resamples} of {all} resamples: {there}")
        }));
        report.attributes.insert(attribute.to_owned(), found);
    }
    report.warnings.sort_unstable();
    report
}

/// Agreement on one attribute; `named` holds one reading an annotator and item.
pub fn attribute_agreement(named: &NamedRatings<'_>, options: &AgreementOptions) -> AttributeAgreement {
    let ratings = &named.ratings;
    let of_values: Vec<bool> = named.answers.iter().map(|&answer| answer != NOT_VISIBLE && answer != UNSURE).collect();
    let is_value = |answer: u32| of_values[answer as usize];
    let counts = ItemCounts::new(ratings, |_| true);
    let tally = Tally::of(&counts);
    let without = if of_values.contains(&false) { Tally::of(&counts.retained(is_value)) } else { tally.clone() };
    let mut undefined = BTreeMap::new();
    let mut figure = |name: &str, result: Result<f64, Undefined>| match result {
        Ok(figure) => Some(figure),
        Err(reason) => {
            undefined.insert(name.to_owned(), reason.to_string());
            None
        }
    };
    let resampled = options.bootstrap.map(|bootstrap| bootstrap.intervals(&counts, is_value)).unwrap_or_default();
    AttributeAgreement {
        items: ratings.items(),
        annotators: ratings.annotators(),
        votes: ratings.votes(),
        percent: figure("percent", tally.percent()),
        alpha: figure("alpha", tally.alpha()),
        alpha_not_visible_missing: figure("alpha_not_visible_missing", without.alpha()),
        fleiss: figure("fleiss", tally.fleiss()),
        ac1: figure("ac1", tally.ac1()),
        cohen: if options.pairs { cohen::pairs(ratings, &named.annotators, is_value) } else { Vec::new() },
        by_annotator: annotators::against_others(ratings, &tally, &named.annotators),
        confused: confusion::confusions(&counts, &tally, &named.answers),
        undefined,
        intervals: resampled.intervals,
        undefined_resamples: resampled.undefined,
    }
}

#[cfg(test)]
mod tests;
