//! Labels that a model contradicts with confidence: confident learning (Northcutt, Jiang and Chuang 2021, Journal of
//! Artificial Intelligence Research 70:1373) on out-of-sample probabilities.
//!
//! An item is counted as a class where the model gives that class at least the mean probability that it gives the items
//! labelled so: the class's threshold. The counts by label and class are the confident joint; those off its diagonal are label issues.
//! Thresholds, counts and choice are those of cleanlab 2.9.0's `find_label_issues(filter_by="confident_learning")`.

use serde::{Deserialize, Serialize};

use crate::{
    answer::{NOT_VISIBLE, UNSURE},
    csvio::Probabilities,
};

/// How far below its threshold a probability may be by rounding (cleanlab's).
const ROUNDING: f64 = 1e-6;

/// By what the issues are ranked, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankBy {
    /// The probability that the model gives the label.
    #[default]
    SelfConfidence,
    /// That probability less the largest of another class, brought to 0..1.
    NormalisedMargin,
}

/// What confident learning finds in one attribute's labels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LabelIssues {
    /// The classes that the model knows, sorted.
    pub classes: Vec<String>,
    /// By class: the mean probability of the class over the items labelled so; `None` where no item is.
    pub thresholds: Vec<Option<f64>>,
    /// By label, then class: items confidently counted. The others are in no cell.
    pub confident_joint: Vec<Vec<usize>>,
    /// By label, then class: the estimated share of all items; sums to 1, and each label has the share that it has.
    pub joint: Vec<Vec<f64>>,
    /// Items that were looked at.
    pub items: usize,
    /// Labels that were not: not visible, unsure, of a class that the model does not know, or without a prediction.
    pub left_out: usize,
    /// The issues, ranked.
    pub issues: Vec<LabelIssue>,
}

impl LabelIssues {
    /// Estimated share of wrong labels: what is off the diagonal of [`Self::joint`].
    pub fn noise(&self) -> f64 {
        let off = self.joint.iter().enumerate().map(|(label, row)| row.iter().sum::<f64>() - row[label]);
        off.sum()
    }
}

/// A label that the model contradicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelIssue {
    /// The item.
    pub item: String,
    /// Its label.
    pub given: String,
    /// What the model finds most probable.
    pub suggested: String,
    /// The probability that the model gives the label.
    pub self_confidence: f64,
    /// (That probability - the largest of another class + 1) / 2.
    pub normalised_margin: f64,
}

/// The items that confident learning looks at.
struct Labelled<'a> {
    items: Vec<&'a str>,
    /// By item: the label's class number.
    given: Vec<usize>,
    /// By item: a probability a class.
    rows: Vec<Vec<f64>>,
}

/// Finds the issues in one attribute's labels, given as (item, answer). The probabilities must come from models that have
/// not learnt from the labels that they are held against (folds, or a run's validation and test photos).
pub fn label_issues<'a>(
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    attribute: &str,
    probabilities: &Probabilities,
    rank: RankBy,
) -> LabelIssues {
    let known = probabilities.answers(attribute);
    let mut classes: Vec<String> =
        known.iter().filter(|&answer| answer != NOT_VISIBLE && answer != UNSURE).cloned().collect();
    classes.sort_unstable();
    let place = |answer: &str| classes.binary_search_by(|class| class.as_str().cmp(answer)).ok();
    let column: Vec<Option<usize>> = known.iter().map(|answer| place(answer)).collect();
    let mut labelled = Labelled { items: Vec::new(), given: Vec::new(), rows: Vec::new() };
    let mut left_out = 0;
    for (item, answer) in labels {
        match (place(answer), probabilities.row(item, attribute).and_then(|row| dense(row, &column, classes.len()))) {
            (Some(class), Some(row)) => {
                labelled.items.push(item);
                labelled.given.push(class);
                labelled.rows.push(row);
            }
            _ => left_out += 1,
        }
    }
    let thresholds = thresholds(&labelled, classes.len());
    let counted: Vec<Option<usize>> = labelled.rows.iter().map(|row| confident_class(row, &thresholds)).collect();
    let mut confident_joint = vec![vec![0; classes.len()]; classes.len()];
    for (&given, &class) in labelled.given.iter().zip(&counted) {
        if let Some(class) = class {
            confident_joint[given][class] += 1;
        }
    }
    let joint = calibrated(&confident_joint, &labelled.given);
    let mut issues = issues(&labelled, &counted, &classes);
    let score = |issue: &LabelIssue| match rank {
        RankBy::SelfConfidence => issue.self_confidence,
        RankBy::NormalisedMargin => issue.normalised_margin,
    };
    // Stable: what is ranked alike keeps the order of the labels.
    issues.sort_by(|one, other| score(one).total_cmp(&score(other)));
    LabelIssues { thresholds, confident_joint, joint, items: labelled.items.len(), left_out, issues, classes }
}

/// A row in the order of the classes, summing to 1; `None` where the model says nothing.
fn dense(row: &[f64], column: &[Option<usize>], k: usize) -> Option<Vec<f64>> {
    let mut all = vec![0.0; k];
    for (&p, &class) in row.iter().zip(column) {
        if let (Some(class), false) = (class, p.is_nan()) {
            all[class] = p;
        }
    }
    let sum: f64 = all.iter().sum();
    // What sums to 1 but for rounding stays as it is: dividing would part equal probabilities.
    if (sum - 1.0).abs() > ROUNDING {
        all.iter_mut().for_each(|p| *p /= sum);
    }
    (sum > 0.0).then_some(all)
}

fn thresholds(labelled: &Labelled<'_>, k: usize) -> Vec<Option<f64>> {
    let (mut sums, mut counts) = (vec![0.0; k], vec![0usize; k]);
    for (&given, row) in labelled.given.iter().zip(&labelled.rows) {
        sums[given] += row[given];
        counts[given] += 1;
    }
    sums.into_iter().zip(counts).map(|(sum, count)| (count > 0).then(|| sum / count as f64)).collect()
}

/// The most probable class; the first of several.
fn most_probable(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

/// The class that an item is counted as: the one that reaches its threshold, or the most probable one where several do.
fn confident_class(row: &[f64], thresholds: &[Option<f64>]) -> Option<usize> {
    let reaches = |class: &usize| thresholds[*class].is_some_and(|threshold| row[*class] >= threshold - ROUNDING);
    let mut confident = (0..row.len()).filter(reaches);
    let first = confident.next()?;
    Some(if confident.next().is_some() { most_probable(row) } else { first })
}

/// The confident joint with each label's row scaled to the share of items that have the label. As in cleanlab, a class's
/// own cell counts at least one, so that a label that was never counted is taken to be right.
fn calibrated(confident_joint: &[Vec<usize>], given: &[usize]) -> Vec<Vec<f64>> {
    let share = |label: usize| given.iter().filter(|&&of| of == label).count() as f64 / given.len().max(1) as f64;
    let row = |(label, counts): (usize, &Vec<usize>)| {
        let mut row: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        row[label] = row[label].max(1.0);
        let scale = share(label) / row.iter().sum::<f64>();
        row.iter_mut().for_each(|cell| *cell *= scale);
        row
    };
    confident_joint.iter().enumerate().map(row).collect()
}

/// The items counted as another class than their label, in the labels' order, unless the label is the most probable class.
fn issues(labelled: &Labelled<'_>, counted: &[Option<usize>], classes: &[String]) -> Vec<LabelIssue> {
    let mut issues = Vec::new();
    for (place, (&given, row)) in labelled.given.iter().zip(&labelled.rows).enumerate() {
        let other = (0..row.len()).filter(|&class| class != given).map(|class| row[class]).fold(0.0, f64::max);
        if counted[place].is_some_and(|class| class != given) && row[given] + ROUNDING < other {
            issues.push(LabelIssue {
                item: labelled.items[place].to_owned(),
                given: classes[given].clone(),
                suggested: classes[most_probable(row)].clone(),
                self_confidence: row[given],
                normalised_margin: (row[given] - other + 1.0) / 2.0,
            });
        }
    }
    issues
}

#[cfg(test)]
mod tests;
