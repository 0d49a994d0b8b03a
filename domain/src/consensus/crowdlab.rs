//! CROWDLAB (Goh, Tkachenko and Mueller 2022, arXiv 2210.06812): the mean of a model's prediction and the annotators'
//! answers, each weighted by how much better it is than always guessing the most frequent answer. Constants, order of
//! tie-breaks and the annotators' quality are those of cleanlab 2.9.0's `get_label_quality_multiannotator` with its defaults.
//!
//! Kenami adds two rules, as a model trained on values knows no "not visible": such an answer is left out of an item's votes,
//! and an item where it is among the most frequent ones is left to the majority; so is an item without a prediction.

use super::{Decision, Method, TIE, Winner, majority};
use crate::{
    answer::{NOT_VISIBLE, UNSURE},
    csvio::Probabilities,
    votes::{NamedRatings, Rating, Ratings},
};

/// How far from 1 an item's probabilities may sum before it is said that they were scaled.
const SUM: f64 = 1e-3;

/// Weights and errors are not let below this (cleanlab's clipping bound).
const LOWER_BOUND: f64 = 1e-6;

/// One item as CROWDLAB sees it.
struct Example {
    /// Its number among all items.
    item: usize,
    /// One vote an annotator; the answer is a class number.
    votes: Vec<Rating>,
    /// The model's probability per class; sums to 1.
    model: Vec<f64>,
    /// Whether they had to be scaled to that.
    is_scaled: bool,
}

impl Example {
    /// The class that the model finds most probable; the first of several.
    fn predicted(&self) -> usize {
        (1..self.model.len()).fold(0, |best, class| if self.model[class] > self.model[best] { class } else { best })
    }

    /// Votes for a class.
    fn votes_for(&self, class: usize) -> usize {
        self.votes.iter().filter(|vote| vote.answer as usize == class).count()
    }
}

/// What follows from one choice of consensus labels.
struct Weighted {
    model_weight: f64,
    /// By annotator; `None` for those without a vote.
    annotator_weights: Vec<Option<f64>>,
    /// By example, then class.
    posterior: Vec<Vec<f64>>,
}

/// Decides one attribute with the model's probabilities.
pub(super) fn decide<'a>(attribute: &str, named: NamedRatings<'a>, probabilities: &Probabilities) -> Decision<'a> {
    let (first, repeated) = named.ratings.first_readings();
    let named = NamedRatings { ratings: first, ..named };
    let classes = classes(&named, probabilities.answers(attribute));
    let examples = examples(attribute, &named, &classes, probabilities);
    let (annotators, items) = (named.annotators.len(), named.items.len());
    let answers = named.answers.clone();
    let mut decision = majority::decide(named.clone());
    if repeated > 0 {
        decision.warnings.push(format!("{repeated} repeated readings were left out: CROWDLAB takes one an annotator"));
    }
    if classes.len() < 2 || !examples.iter().any(|example| example.votes.len() > 1) {
        let why = "too few answers with a model's probabilities and two or more votes";
        decision.warnings.push(format!("decided by majority: CROWDLAB has {why}"));
        return decision;
    }
    if examples.len() < items {
        let rest = items - examples.len();
        decision.warnings.push(format!(
            "{rest} items were decided by majority: without the model's probabilities, or not visible or unsure to most"
        ));
    }
    let scaled = examples.iter().filter(|example| example.is_scaled).count();
    if scaled > 0 {
        decision.warnings.push(format!("the probabilities of {scaled} items do not sum to 1 and were scaled"));
    }
    let choice = Choice::new(&examples, classes.len(), annotators);
    let quality = annotator_quality(&examples, &choice, annotators);
    fill(&mut decision, &answers, &classes, &examples, &choice);
    let own =
        Ratings::new(items, annotators, decision.answers.len(), renumbered(&named, &decision.answers).into_iter());
    decision.estimates = majority::against(&own, &decision.winners, decision.answers.len());
    for (estimate, quality) in decision.estimates.iter_mut().zip(quality) {
        estimate.quality = quality;
    }
    decision
}

/// The consensus labels and what follows from them.
struct Choice {
    /// By example.
    labels: Vec<usize>,
    /// By example; the classes that nothing tells apart.
    ties: Vec<Option<Vec<usize>>>,
    weighted: Weighted,
}

impl Choice {
    /// Weights from the majority give the labels, the labels give the final weights.
    fn new(examples: &[Example], k: usize, annotators: usize) -> Self {
        let (start, unresolved) = majority_labels(examples, k, annotators);
        let first = Weighted::new(examples, &start, k, annotators);
        let modes: Vec<Option<usize>> = first.posterior.iter().map(|row| most_probable(row)).collect();
        let labels: Vec<usize> = modes.iter().zip(start).map(|(mode, start)| mode.unwrap_or(start)).collect();
        let ties = modes.iter().zip(unresolved).map(|(mode, tied)| tied.filter(|_| mode.is_none())).collect();
        let weighted = Weighted::new(examples, &labels, k, annotators);
        Self { labels, ties, weighted }
    }
}

/// The answers between which CROWDLAB decides, sorted: the model's and the values that were voted for.
fn classes(named: &NamedRatings<'_>, model: &[String]) -> Vec<String> {
    let values = named.answers.iter().copied().filter(|&answer| answer != NOT_VISIBLE && answer != UNSURE);
    let mut classes: Vec<String> = model.iter().cloned().chain(values.map(str::to_owned)).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// The items on which CROWDLAB decides.
fn examples(
    attribute: &str,
    named: &NamedRatings<'_>,
    classes: &[String],
    probabilities: &Probabilities,
) -> Vec<Example> {
    let place = |answer: &str| classes.binary_search_by(|class| class.as_str().cmp(answer)).ok();
    let class_of: Vec<Option<usize>> = named.answers.iter().map(|answer| place(answer)).collect();
    let column: Vec<Option<usize>> = probabilities.answers(attribute).iter().map(|answer| place(answer)).collect();
    let mut counts = Vec::new();
    let mut examples = Vec::new();
    for (item, &name) in named.items.iter().enumerate() {
        let Some(row) = probabilities.row(name, attribute) else { continue };
        let mut model = vec![0.0; classes.len()];
        for (&class, &p) in column.iter().zip(row) {
            if let (Some(class), false) = (class, p.is_nan()) {
                model[class] = p;
            }
        }
        let sum: f64 = model.iter().sum();
        named.ratings.count(item, &mut counts);
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut most_frequent = counts.iter().zip(&class_of).filter(|&(&count, _)| count == most);
        if sum <= 0.0 || most_frequent.any(|(_, class)| class.is_none()) {
            continue;
        }
        model.iter_mut().for_each(|p| *p /= sum);
        let votes = named.ratings.item(item).iter().filter_map(|rating| {
            let class = class_of[rating.answer as usize]?;
            Some(Rating { annotator: rating.annotator, answer: class as u32 })
        });
        let is_scaled = (sum - 1.0).abs() > SUM;
        examples.push(Example { item, votes: votes.collect(), model, is_scaled });
    }
    examples
}

/// The majority per example; ties go to the model's most probable, then the least frequent class, then the class whose
/// voters agree most with the untied majority. What is still tied is returned beside the first of its classes (cleanlab draws).
fn majority_labels(examples: &[Example], k: usize, annotators: usize) -> (Vec<usize>, Vec<Option<Vec<usize>>>) {
    let mut frequency = vec![0usize; k];
    examples.iter().flat_map(|example| &example.votes).for_each(|vote| frequency[vote.answer as usize] += 1);
    let mut tied: Vec<Vec<usize>> =
        examples.iter().map(|example| keep_best((0..k).collect(), |class| example.votes_for(class) as f64)).collect();
    let (mut right, mut seen) = (vec![0.0; annotators], vec![0.0; annotators]);
    for (example, tied) in examples.iter().zip(&tied) {
        if let [label] = tied[..] {
            for vote in &example.votes {
                seen[vote.annotator as usize] += 1.0;
                right[vote.annotator as usize] += f64::from(u8::from(vote.answer as usize == label));
            }
        }
    }
    let mut agreement: Vec<Option<f64>> = right.iter().zip(&seen).map(|(r, s)| (*s > 0.0).then(|| r / s)).collect();
    impute_mean(&mut agreement, |_| true);
    for (example, tied) in examples.iter().zip(&mut tied) {
        *tied = keep_best(std::mem::take(tied), |class| example.model[class]);
        *tied = keep_best(std::mem::take(tied), |class| -(frequency[class] as f64));
        *tied = keep_best(std::mem::take(tied), |class| {
            let voters = example.votes.iter().filter(|vote| vote.answer as usize == class);
            mean(voters.map(|vote| agreement[vote.annotator as usize].unwrap_or(0.0))).unwrap_or(0.0)
        });
    }
    let labels = tied.iter().map(|tied| tied[0]).collect();
    (labels, tied.into_iter().map(|tied| (tied.len() > 1).then_some(tied)).collect())
}

/// The candidates with the largest score.
fn keep_best(candidates: Vec<usize>, score: impl Fn(usize) -> f64) -> Vec<usize> {
    if candidates.len() < 2 {
        return candidates;
    }
    let best = candidates.iter().map(|&class| score(class)).fold(f64::NEG_INFINITY, f64::max);
    candidates.into_iter().filter(|&class| score(class) == best).collect()
}

/// The one most probable class; `None` where several are.
fn most_probable(row: &[f64]) -> Option<usize> {
    match Winner::of(row, TIE) {
        Winner::Answer(class) => Some(class as usize),
        Winner::Tied(_) => None,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then(|| sum / n)
}

/// Gives those without a value, where `is_wanted`, the mean of the others.
fn impute_mean(values: &mut [Option<f64>], is_wanted: impl Fn(usize) -> bool) {
    let average = mean(values.iter().flatten().copied());
    for (place, value) in values.iter_mut().enumerate() {
        if is_wanted(place) {
            *value = value.or(average);
        }
    }
}

impl Weighted {
    fn new(examples: &[Example], labels: &[usize], k: usize, annotators: usize) -> Self {
        let several = || examples.iter().zip(labels).filter(|(example, _)| example.votes.len() > 1);
        let share_right = several().map(|(e, &label)| e.votes_for(label) as f64 / e.votes.len() as f64);
        let likelihood = mean(share_right).unwrap_or(0.0);
        let unlikelihood = (1.0 - likelihood) / (k as f64 - 1.0);

        let mut frequency = vec![0usize; k];
        several().for_each(|(_, &label)| frequency[label] += 1);
        let most = frequency.iter().copied().max().unwrap_or(0);
        let guess_error = (1.0 - most as f64 / several().count() as f64).max(LOWER_BOUND);
        let skill = |error: f64| (1.0 - error / guess_error).max(LOWER_BOUND);

        let mut agreement = agreement_with_others(examples, annotators);
        let mut votes = vec![0usize; annotators];
        examples.iter().flat_map(|example| &example.votes).for_each(|vote| votes[vote.annotator as usize] += 1);
        impute_mean(&mut agreement, |annotator| votes[annotator] > 0);
        let annotator_weights: Vec<Option<f64>> = agreement.iter().map(|a| a.map(|a| skill(1.0 - a))).collect();

        let wrong = mean(several().map(|(e, &label)| f64::from(u8::from(e.predicted() != label))));
        let votes_per_example = votes.iter().sum::<usize>() as f64 / examples.len() as f64;
        let model_weight = skill(wrong.unwrap_or(1.0)) * votes_per_example.sqrt();

        let posterior = examples.iter().map(|example| {
            let mut row: Vec<f64> = example.model.iter().map(|p| p * model_weight).collect();
            let mut total = model_weight;
            for vote in &example.votes {
                let weight = annotator_weights[vote.annotator as usize].unwrap_or(0.0);
                total += weight;
                for (class, p) in row.iter_mut().enumerate() {
                    *p += weight * if class == vote.answer as usize { likelihood } else { unlikelihood };
                }
            }
            row.iter_mut().for_each(|p| *p /= total);
            row
        });
        let posterior = posterior.collect();
        Self { model_weight, annotator_weights, posterior }
    }
}

/// The share of the others' votes, on the same items, that say what the annotator says; `None` where there is none.
fn agreement_with_others(examples: &[Example], annotators: usize) -> Vec<Option<f64>> {
    let (mut agreeing, mut pairs) = (vec![0usize; annotators], vec![0usize; annotators]);
    for example in examples {
        for vote in &example.votes {
            agreeing[vote.annotator as usize] += example.votes_for(vote.answer as usize) - 1;
            pairs[vote.annotator as usize] += example.votes.len() - 1;
        }
    }
    agreeing.into_iter().zip(pairs).map(|(a, p)| (p > 0).then(|| a as f64 / p as f64)).collect()
}

/// cleanlab's annotator quality: the mean posterior of the annotator's answers and their share of consensus answers on items
/// with several votes, weighted by the model's and the annotators' part in the consensus.
fn annotator_quality(examples: &[Example], choice: &Choice, annotators: usize) -> Vec<Option<f64>> {
    let weighted = &choice.weighted;
    let (mut score, mut votes) = (vec![0.0; annotators], vec![0.0; annotators]);
    let (mut right, mut compared) = (vec![0.0; annotators], vec![0.0; annotators]);
    for ((example, &label), row) in examples.iter().zip(&choice.labels).zip(&weighted.posterior) {
        for vote in &example.votes {
            let annotator = vote.annotator as usize;
            score[annotator] += row[vote.answer as usize];
            votes[annotator] += 1.0;
            if example.votes.len() > 1 {
                right[annotator] += f64::from(u8::from(vote.answer as usize == label));
                compared[annotator] += 1.0;
            }
        }
    }
    let active = weighted.annotator_weights.iter().flatten().count() as f64;
    let part = votes.iter().sum::<f64>() / examples.len() as f64 / active;
    let annotators_weight = weighted.annotator_weights.iter().flatten().sum::<f64>() * part;
    let w = weighted.model_weight / (weighted.model_weight + annotators_weight);
    let quality = |annotator: usize| {
        (compared[annotator] > 0.0)
            .then(|| w * score[annotator] / votes[annotator] + (1.0 - w) * right[annotator] / compared[annotator])
    };
    (0..annotators).map(quality).collect()
}

/// Puts CROWDLAB's answers over the majority's, in numbers of the answers of both.
fn fill(decision: &mut Decision<'_>, voted: &[&str], classes: &[String], examples: &[Example], choice: &Choice) {
    let mut answers: Vec<String> =
        classes.iter().cloned().chain(voted.iter().map(|&answer| answer.to_owned())).collect();
    answers.sort_unstable();
    answers.dedup();
    let place = |answer: &str| answers.binary_search_by(|a| a.as_str().cmp(answer)).unwrap_or_default();
    let of_vote: Vec<usize> = voted.iter().map(|answer| place(answer)).collect();
    let of_class: Vec<usize> = classes.iter().map(|class| place(class)).collect();

    let k = answers.len();
    let mut posterior = vec![0.0; decision.items.len() * k];
    decision.quality = vec![0.0; decision.items.len()];
    for item in 0..decision.items.len() {
        for (answer, &share) in decision.posterior(item).iter().enumerate() {
            posterior[item * k + of_vote[answer]] = share;
        }
        decision.quality[item] = decision.posterior(item).iter().copied().fold(0.0, f64::max);
    }
    for winner in &mut decision.winners {
        match winner {
            Winner::Answer(answer) => *answer = of_vote[*answer as usize] as u32,
            Winner::Tied(tied) => tied.iter_mut().for_each(|answer| *answer = of_vote[*answer as usize] as u32),
        }
    }
    for (number, example) in examples.iter().enumerate() {
        let row = &mut posterior[example.item * k..(example.item + 1) * k];
        row.fill(0.0);
        choice.weighted.posterior[number].iter().zip(&of_class).for_each(|(&p, &answer)| row[answer] = p);
        decision.quality[example.item] = choice.weighted.posterior[number][choice.labels[number]];
        decision.winners[example.item] = match &choice.ties[number] {
            Some(tied) => Winner::Tied(tied.iter().map(|&class| of_class[class] as u32).collect()),
            None => Winner::Answer(of_class[choice.labels[number]] as u32),
        };
    }
    decision.posterior = posterior;
    decision.prior = vec![0.0; k];
    let answered = decision.winners.iter().filter_map(|winner| match winner {
        Winner::Answer(answer) => Some(*answer as usize),
        Winner::Tied(_) => None,
    });
    let answered: Vec<usize> = answered.collect();
    answered.iter().for_each(|&answer| decision.prior[answer] += 1.0 / answered.len() as f64);
    decision.answers = answers;
    decision.method = Method::Crowdlab;
}

/// The votes in numbers of `answers`.
fn renumbered(named: &NamedRatings<'_>, answers: &[String]) -> Vec<(u32, Rating)> {
    let place = |answer: &&str| answers.binary_search_by(|a| a.as_str().cmp(answer)).unwrap_or_default() as u32;
    let new: Vec<u32> = named.answers.iter().map(place).collect();
    let rows = (0..).zip(named.ratings.iter());
    rows.flat_map(|(item, votes)| votes.iter().map(move |vote| (item, *vote)))
        .map(|(item, vote)| (item, Rating { answer: new[vote.answer as usize], ..vote }))
        .collect()
}

/// For tests: the weights that cleanlab returns with `return_weights=True`.
#[cfg(test)]
pub(super) fn weights(attribute: &str, named: &NamedRatings<'_>, probabilities: &Probabilities) -> (f64, Vec<f64>) {
    let classes = classes(named, probabilities.answers(attribute));
    let examples = examples(attribute, named, &classes, probabilities);
    let weighted = Choice::new(&examples, classes.len(), named.annotators.len()).weighted;
    (weighted.model_weight, weighted.annotator_weights.into_iter().flatten().collect())
}
