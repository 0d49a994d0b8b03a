//! Which pairs of answers stand against each other, how often, and what each pair takes from alpha.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::coefficients::{ItemCounts, Tally};

/// Two answers that annotators give to the same items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfusedPair {
    /// The answer whose key sorts first.
    pub a: String,
    /// The other one.
    pub b: String,
    /// Items on which both stand.
    pub items: usize,
    /// Pairs of votes, one for each answer, on the same item.
    pub votes: u64,
    /// How often a vote compared with one for either answer is for the other: 2 o_ab / (n_a + n_b) in the coincidence matrix.
    pub rate: f64,
    /// Alpha if these votes agreed, less alpha: one half of them is counted as a's and one as b's, so that each answer is
    /// used as often as before. The costs of all pairs sum to 1 - alpha. `None` where alpha is undefined.
    pub cost: Option<f64>,
    /// Alpha if these votes agreed.
    pub alpha_without: Option<f64>,
    /// Alpha if a and b were one answer; `None` where it would be undefined.
    pub alpha_merged: Option<f64>,
}

/// What is counted of a pair.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    items: usize,
    votes: u64,
    /// o_ab of Krippendorff's coincidence matrix: each item's pairs of votes / (its votes - 1).
    coincidences: f64,
}

/// The pairs of answers that meet on some item, the costliest first. `tally` is that of `counts`.
pub fn confusions(counts: &ItemCounts, tally: &Tally, answers: &[&str]) -> Vec<ConfusedPair> {
    let mut cells: HashMap<(u32, u32), Cell> = HashMap::new();
    for item in 0..counts.items() {
        let row = counts.item(item);
        if row.len() < 2 {
            continue;
        }
        let compared = f64::from(row.iter().map(|cell| cell.1).sum::<u32>()) - 1.0;
        for (place, &(x, of_x)) in row.iter().enumerate() {
            for &(y, of_y) in &row[place + 1..] {
                let cell = cells.entry((x.min(y), x.max(y))).or_default();
                let votes = u64::from(of_x) * u64::from(of_y);
                cell.items += 1;
                cell.votes += votes;
                cell.coincidences += votes as f64 / compared;
            }
        }
    }
    let (margin, each) = (tally.paired_votes(), tally.cost_of_disagreement().ok());
    let pair = |((x, y), cell): ((u32, u32), Cell)| {
        let (of_x, of_y) = (margin[x as usize], margin[y as usize]);
        let cost = each.map(|each| each * 2.0 * cell.coincidences);
        ConfusedPair {
            a: answers[x as usize].to_owned(),
            b: answers[y as usize].to_owned(),
            items: cell.items,
            votes: cell.votes,
            rate: 2.0 * cell.coincidences / (of_x + of_y),
            cost,
            alpha_without: cost.and_then(|cost| Some(tally.alpha().ok()? + cost)),
            alpha_merged: merged(margin, x as usize, y as usize, tally.disagreement() - 2.0 * cell.coincidences),
        }
    };
    let mut pairs: Vec<ConfusedPair> = cells.into_iter().map(pair).collect();
    pairs.sort_by(|one, other| {
        let key = |pair: &ConfusedPair| pair.cost.unwrap_or(pair.rate);
        key(other).total_cmp(&key(one)).then_with(|| (&one.a, &one.b).cmp(&(&other.a, &other.b)))
    });
    pairs
}

/// Alpha if the answers x and y were one; `disagreement` is what is left off the diagonal.
fn merged(margin: &[f64], x: usize, y: usize, disagreement: f64) -> Option<f64> {
    let n: f64 = margin.iter().sum();
    let squares: f64 = margin.iter().map(|votes| votes * votes).sum::<f64>() + 2.0 * margin[x] * margin[y];
    let others = margin.iter().enumerate().any(|(answer, &votes)| answer != x && answer != y && votes > 0.0);
    others.then(|| 1.0 - (n - 1.0) * disagreement.max(0.0) / (n * n - squares))
}
