//! How far annotators agree, per attribute: percent, Krippendorff's alpha, Cohen, Fleiss and Gwet, with bootstrap intervals.

mod bootstrap;
mod coefficients;
mod cohen;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use bootstrap::Bootstrap;
pub use coefficients::{ItemCounts, Tally, Undefined};
pub use cohen::{CohenPair, Kappa};

use crate::{
    answer::{NOT_VISIBLE, UNSURE},
    votes::{NamedRatings, VoteTable},
};

/// What to compute beyond the coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AgreementOptions {
    /// Bootstrap intervals; none by default.
    pub bootstrap: Option<Bootstrap>,
}

/// Agreement of all attributes: `kenami agreement --json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgreementReport {
    /// By attribute key.
    pub attributes: BTreeMap<String, AttributeAgreement>,
    /// What the reader should know: repeated readings that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Agreement on one attribute. `not_visible` and `unsure` are answers like any other, except where said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Cohen's kappa of every pair of annotators with an item in common.
    pub cohen: Vec<CohenPair>,
    /// Why a figure is null, by its name.
    pub undefined: BTreeMap<String, String>,
    /// Bootstrap interval of a figure, by its name, where asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
}

/// Agreement on every attribute of the table. A repeated reading of an item by one annotator is left out, with a warning.
pub fn agreement(table: &VoteTable, options: &AgreementOptions) -> AgreementReport {
    let mut report = AgreementReport::default();
    for attribute in table.attributes() {
        let Some(named) = table.ratings(attribute) else { continue };
        let (first, repeated) = named.ratings.first_readings();
        if repeated > 0 {
            report.warnings.push(format!(
                "{attribute}: {repeated} repeated readings of an item by the same annotator were left out"
            ));
        }
        let named = NamedRatings { ratings: first, ..named };
        report.attributes.insert(attribute.to_owned(), attribute_agreement(&named, options));
    }
    report.warnings.sort_unstable();
    report
}

/// Agreement on one attribute; `named` holds one reading an annotator and item.
pub fn attribute_agreement(named: &NamedRatings<'_>, options: &AgreementOptions) -> AttributeAgreement {
    let ratings = &named.ratings;
    let is_value: Vec<bool> = named.answers.iter().map(|&answer| answer != NOT_VISIBLE && answer != UNSURE).collect();
    let counts = ItemCounts::new(ratings, |_| true);
    let values = ItemCounts::new(ratings, |answer| is_value[answer as usize]);
    let tally = Tally::of(&counts);
    let mut undefined = BTreeMap::new();
    let mut figure = |name: &str, result: Result<f64, Undefined>| match result {
        Ok(figure) => Some(figure),
        Err(reason) => {
            undefined.insert(name.to_owned(), reason.to_string());
            None
        }
    };
    AttributeAgreement {
        items: ratings.items(),
        annotators: ratings.annotators(),
        votes: ratings.votes(),
        percent: figure("percent", tally.percent()),
        alpha: figure("alpha", tally.alpha()),
        alpha_not_visible_missing: figure("alpha_not_visible_missing", Tally::of(&values).alpha()),
        fleiss: figure("fleiss", tally.fleiss()),
        ac1: figure("ac1", tally.ac1()),
        cohen: cohen::pairs(ratings, &named.annotators),
        undefined,
        intervals: options.bootstrap.map(|bootstrap| bootstrap.intervals(&counts, &values)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
