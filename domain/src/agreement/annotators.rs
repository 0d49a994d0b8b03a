//! Every annotator against the others.

use serde::{Deserialize, Serialize};

use super::coefficients::{Tally, cost_of_disagreement};
use crate::votes::{Rating, Ratings};

/// One annotator against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnnotatorAgreement {
    /// The annotator's name.
    pub annotator: String,
    /// Votes given.
    pub votes: usize,
    /// Items among these that somebody else voted on, too.
    pub items: usize,
    /// Share of the others' votes on these items that say the same; `None` where there is none.
    pub percent: Option<f64>,
    /// Krippendorff's alpha without this annotator's votes; `None` where it is undefined.
    pub alpha_without: Option<f64>,
    /// That alpha less alpha: above 0, the others agree better among themselves.
    pub cost: Option<f64>,
}

/// What leaves with an annotator, and how they compare.
#[derive(Debug, Clone)]
struct Part {
    votes: usize,
    items: usize,
    agreeing: u64,
    compared: u64,
    disagreement: f64,
    margin: Vec<f64>,
}

/// The annotators by name. `ratings` holds one reading an annotator and item, `tally` counts them.
pub fn against_others(ratings: &Ratings, tally: &Tally, annotators: &[&str]) -> Vec<AnnotatorAgreement> {
    let k = ratings.answers();
    let nobody = Part { votes: 0, items: 0, agreeing: 0, compared: 0, disagreement: 0.0, margin: vec![0.0; k] };
    let mut parts = vec![nobody; annotators.len()];
    let mut counts = vec![0u32; k];
    for item in ratings.iter() {
        item.iter().for_each(|rating| counts[rating.answer as usize] += 1);
        let squares = item.iter().map(|rating| f64::from(counts[rating.answer as usize])).sum();
        for rating in item {
            parts[rating.annotator as usize].take(item, rating.answer, counts[rating.answer as usize], squares);
        }
        item.iter().for_each(|rating| counts[rating.answer as usize] = 0);
    }
    let alpha = tally.alpha().ok();
    let named = |(part, &annotator): (Part, &&str)| {
        let margin: Vec<f64> = tally.paired_votes().iter().zip(&part.margin).map(|(all, own)| all - own).collect();
        let left = (tally.disagreement() - part.disagreement).max(0.0);
        let alpha_without = cost_of_disagreement(&margin).map(|each| 1.0 - each * left);
        AnnotatorAgreement {
            annotator: annotator.to_owned(),
            votes: part.votes,
            items: part.items,
            percent: (part.compared > 0).then(|| part.agreeing as f64 / part.compared as f64),
            alpha_without,
            cost: alpha_without.zip(alpha).map(|(without, with)| without - with),
        }
    };
    parts.into_iter().zip(annotators).map(named).collect()
}

impl Part {
    /// Adds one vote for `answer`, which `same` votes of its item are for; `squares` is the sum of the squared votes per answer.
    fn take(&mut self, item: &[Rating], answer: u32, same: u32, squares: f64) {
        self.votes += 1;
        if item.len() < 2 {
            return;
        }
        let (m, same) = (item.len() as f64, f64::from(same));
        self.items += 1;
        self.agreeing += same as u64 - 1;
        self.compared += item.len() as u64 - 1;
        self.disagreement += (m * m - squares) / (m - 1.0);
        if item.len() == 2 {
            // The other vote has nothing left to be compared with.
            item.iter().for_each(|rating| self.margin[rating.answer as usize] += 1.0);
        } else {
            let (rest, rest_squares) = (m - 1.0, squares - 2.0 * same + 1.0);
            self.disagreement -= (rest * rest - rest_squares) / (rest - 1.0);
            self.margin[answer as usize] += 1.0;
        }
    }
}
