//! Dawid and Skene 1979 (Applied Statistics 28:20): the true answers and every annotator's errors, by expectation
//! maximisation from each item's label fractions, run to convergence. An item's probabilities are multiplied; where the
//! product becomes too small for that, their logarithms are added.

use super::{
    AnnotatorEstimate, ConsensusOptions, Decision, Method, TIE, Winner,
    majority::{normalise_rows, shares},
};
use crate::votes::{NamedRatings, Rating, Ratings};

/// What is estimated of an annotator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    /// A full confusion matrix.
    Confusion,
    /// One accuracy; the errors are spread evenly over the other answers.
    OneCoin,
}

/// The model's parameters.
#[derive(Debug, Clone, PartialEq)]
struct Parameters {
    /// Per answer.
    prior: Vec<f64>,
    /// `[(annotator * K + reported) * K + true]`: what an item's posterior needs for one vote lies side by side.
    reported: Vec<f64>,
}

impl Parameters {
    /// Nothing counted yet.
    fn zeros(ratings: &Ratings) -> Self {
        let k = ratings.answers();
        Self { prior: vec![0.0; k], reported: vec![0.0; ratings.annotators() * k * k] }
    }

    /// Counts an item's votes under its posterior.
    fn count(&mut self, item: &[Rating], posterior: &[f64]) {
        let k = posterior.len();
        add(&mut self.prior, posterior);
        for rating in item {
            let start = (rating.annotator as usize * k + rating.answer as usize) * k;
            add(&mut self.reported[start..start + k], posterior);
        }
    }

    /// Turns counts into the probabilities that make the posterior most likely (the maximisation step).
    fn maximise(mut self, ratings: &Ratings, errors: Errors) -> Self {
        let k = ratings.answers();
        self.prior.iter_mut().for_each(|p| *p /= ratings.items() as f64);
        for counts in self.reported.chunks_exact_mut(k * k) {
            match errors {
                Errors::Confusion => normalise_columns(counts, k),
                Errors::OneCoin => spread(counts, k),
            }
        }
        self
    }

    fn logarithms(&self) -> Self {
        let of = |all: &[f64]| all.iter().map(|p| p.ln()).collect();
        Self { prior: of(&self.prior), reported: of(&self.reported) }
    }

    fn largest_change(&self, other: &Self) -> f64 {
        let both = self.prior.iter().zip(&other.prior).chain(self.reported.iter().zip(&other.reported));
        both.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

fn add(sum: &mut [f64], row: &[f64]) {
    sum.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
}

/// Counts `[reported * K + true]` become P(reported | true). A true answer that the annotator never met keeps zeros.
fn normalise_columns(counts: &mut [f64], k: usize) {
    for truth in 0..k {
        let sum: f64 = (0..k).map(|reported| counts[reported * k + truth]).sum();
        if sum > 0.0 {
            (0..k).for_each(|reported| counts[reported * k + truth] /= sum);
        }
    }
}

/// Counts become one accuracy on the diagonal and its complement, spread evenly, elsewhere.
fn spread(counts: &mut [f64], k: usize) {
    let all: f64 = counts.iter().sum();
    if all <= 0.0 || k < 2 {
        return normalise_columns(counts, k);
    }
    let accuracy = ((0..k).map(|answer| counts[answer * k + answer]).sum::<f64>() / all).min(1.0);
    counts.fill((1.0 - accuracy) / (k as f64 - 1.0));
    (0..k).for_each(|answer| counts[answer * k + answer] = accuracy);
}

/// Products below this are taken again in log space, long before they lose digits.
const SMALLEST: f64 = 1e-200;

/// The expectation step: replaces the posterior by that under the parameters. Returns the log-likelihood of the votes and,
/// counted in the same pass over the votes, what the next maximisation needs.
fn expect(ratings: &Ratings, parameters: &Parameters, posterior: &mut [f64]) -> (f64, Parameters) {
    let k = ratings.answers();
    let logarithms = std::cell::LazyCell::new(|| parameters.logarithms());
    let mut log_likelihood = 0.0;
    let mut counts = Parameters::zeros(ratings);
    let mut weights = vec![0.0; k];
    for (item, row) in ratings.iter().zip(posterior.chunks_exact_mut(k)) {
        weights.copy_from_slice(&parameters.prior);
        for rating in item {
            let start = (rating.annotator as usize * k + rating.answer as usize) * k;
            let reported = &parameters.reported[start..start + k];
            weights.iter_mut().zip(reported).for_each(|(weight, p)| *weight *= p);
        }
        let sum: f64 = weights.iter().sum();
        log_likelihood += if sum > SMALLEST {
            row.iter_mut().zip(&weights).for_each(|(p, weight)| *p = weight / sum);
            sum.ln()
        } else {
            expect_by_logarithms(item, &logarithms, &mut weights, row)
        };
        counts.count(item, row);
    }
    (log_likelihood, counts)
}

/// The expectation of one item from the logarithms of the parameters; returns the log-likelihood of its votes.
fn expect_by_logarithms(item: &[Rating], logarithms: &Parameters, weights: &mut [f64], row: &mut [f64]) -> f64 {
    let k = row.len();
    weights.copy_from_slice(&logarithms.prior);
    for rating in item {
        let start = (rating.annotator as usize * k + rating.answer as usize) * k;
        add(weights, &logarithms.reported[start..start + k]);
    }
    let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Only by rounding can every answer be impossible; the item then keeps its posterior.
    if largest == f64::NEG_INFINITY {
        return 0.0;
    }
    let mut sum = 0.0;
    for (p, weight) in row.iter_mut().zip(&*weights) {
        *p = (weight - largest).exp();
        sum += *p;
    }
    row.iter_mut().for_each(|p| *p /= sum);
    largest + sum.ln()
}

/// Runs expectation maximisation on one attribute.
pub(super) fn decide<'a>(named: NamedRatings<'a>, errors: Errors, options: &ConsensusOptions) -> Decision<'a> {
    let ratings = &named.ratings;
    let k = ratings.answers();
    let mut posterior = shares(ratings);
    let mut start = Parameters::zeros(ratings);
    ratings.iter().zip(posterior.chunks_exact(k)).for_each(|(item, row)| start.count(item, row));
    let mut parameters = start.maximise(ratings, errors);
    let (mut log_likelihood, mut counts) = expect(ratings, &parameters, &mut posterior);
    let (mut iterations, mut converged) = (1, false);
    while !converged && iterations < options.max_iterations {
        let next = counts.maximise(ratings, errors);
        converged = parameters.largest_change(&next) <= options.tolerance;
        parameters = next;
        (log_likelihood, counts) = expect(ratings, &parameters, &mut posterior);
        iterations += 1;
    }
    let mut warnings = Vec::new();
    if !converged {
        warnings.push(format!("expectation maximisation had not converged after {iterations} iterations"));
    }
    Decision {
        method: if errors == Errors::Confusion { Method::DawidSkene } else { Method::OneCoin },
        winners: posterior.chunks_exact(k.max(1)).map(|row| Winner::of(row, TIE)).collect(),
        estimates: estimates(ratings, &parameters),
        items: named.items,
        annotators: named.annotators,
        answers: named.answers.iter().map(|&answer| answer.to_owned()).collect(),
        posterior,
        quality: Vec::new(),
        prior: parameters.prior,
        log_likelihood: Some(log_likelihood),
        iterations: Some(iterations),
        converged: Some(converged),
        warnings,
    }
}

fn estimates(ratings: &Ratings, parameters: &Parameters) -> Vec<AnnotatorEstimate> {
    let k = ratings.answers();
    let mut votes = vec![0; ratings.annotators()];
    ratings.iter().flatten().for_each(|rating| votes[rating.annotator as usize] += 1);
    let matrices = parameters.reported.chunks_exact(k * k);
    matrices
        .zip(votes)
        .map(|(reported, votes)| {
            let mut confusion: Vec<f64> = (0..k * k).map(|cell| reported[cell % k * k + cell / k]).collect();
            normalise_rows(&mut confusion, k);
            let quality = (0..k).map(|answer| parameters.prior[answer] * confusion[answer * k + answer]).sum();
            AnnotatorEstimate { quality: Some(quality), confusion, votes }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::fixtures;
    use approx::assert_abs_diff_eq;

    /// Parameters after the first maximisation, and the label fractions.
    fn started(ratings: &Ratings) -> (Parameters, Vec<f64>) {
        let posterior = shares(ratings);
        let mut start = Parameters::zeros(ratings);
        let rows = ratings.iter().zip(posterior.chunks_exact(ratings.answers()));
        rows.for_each(|(item, row)| start.count(item, row));
        (start.maximise(ratings, Errors::Confusion), posterior)
    }

    /// Every item by logarithms.
    fn by_logarithms(ratings: &Ratings, parameters: &Parameters, posterior: &mut [f64]) -> f64 {
        let (k, logarithms) = (ratings.answers(), parameters.logarithms());
        let rows = ratings.iter().zip(posterior.chunks_exact_mut(k));
        rows.map(|(item, row)| expect_by_logarithms(item, &logarithms, &mut vec![0.0; k], row)).sum()
    }

    #[test]
    fn products_and_logarithms_are_the_same() {
        let table = fixtures::anaesthetists();
        let ratings = table.ratings("ear").unwrap().ratings;
        let (parameters, mut one) = started(&ratings);
        let mut other = one.clone();
        let likelihood = expect(&ratings, &parameters, &mut one).0;
        assert_abs_diff_eq!(likelihood, by_logarithms(&ratings, &parameters, &mut other), epsilon = 1e-9);
        one.iter().zip(&other).for_each(|(one, other)| assert_abs_diff_eq!(*one, *other, epsilon = 1e-12));
    }

    #[test]
    fn products_too_small_for_a_number_are_taken_by_logarithms() {
        // 3,000 annotators on each of 8 items, answers in turn: some .5^3000 an item, far below the smallest number.
        let rows = (0..8u32).flat_map(|item| {
            (0..3000u32)
                .map(move |annotator| (item, Rating { annotator, answer: (item + u32::from(annotator % 3 == 0)) % 2 }))
        });
        let ratings = Ratings::new(8, 3000, 2, rows);
        let (mut parameters, mut one) = started(&ratings);
        parameters.reported.iter_mut().for_each(|p| *p = p.clamp(0.2, 0.8));
        let mut other = one.clone();
        let likelihood = expect(&ratings, &parameters, &mut one).0;
        assert!(likelihood.is_finite() && likelihood < 8.0 * SMALLEST.ln(), "{likelihood}");
        assert_abs_diff_eq!(likelihood, by_logarithms(&ratings, &parameters, &mut other), epsilon = 1e-6);
        for (item, row) in one.chunks_exact(2).enumerate() {
            assert_abs_diff_eq!(row[item % 2], 1.0, epsilon = 1e-9);
        }
    }
}
