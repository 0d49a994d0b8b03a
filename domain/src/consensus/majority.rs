//! The most frequent answer. A tie is said, never broken in silence.

use super::{AnnotatorEstimate, Decision, Method, Winner};
use crate::votes::{NamedRatings, Ratings};

/// Vote shares, `[item * K + answer]`.
pub(super) fn shares(ratings: &Ratings) -> Vec<f64> {
    let k = ratings.answers();
    let mut shares = vec![0.0; ratings.items() * k];
    for (row, item) in shares.chunks_exact_mut(k.max(1)).zip(ratings.iter()) {
        // Integers divided once, so that equal counts give equal shares.
        item.iter().for_each(|rating| row[rating.answer as usize] += 1.0);
        row.iter_mut().for_each(|share| *share /= item.len() as f64);
    }
    shares
}

/// The majority of every item; an annotator is measured against the items that have one.
pub(super) fn decide(named: NamedRatings<'_>) -> Decision<'_> {
    let ratings = &named.ratings;
    let k = ratings.answers();
    let posterior = shares(ratings);
    let winners: Vec<Winner> = posterior.chunks_exact(k.max(1)).map(|row| Winner::of(row, 0.0)).collect();
    let mut prior = vec![0.0; k];
    let mut decided = 0.0;
    for winner in &winners {
        if let Winner::Answer(answer) = winner {
            prior[*answer as usize] += 1.0;
            decided += 1.0;
        }
    }
    if decided > 0.0 {
        prior.iter_mut().for_each(|share| *share /= decided);
    }
    Decision {
        method: Method::Majority,
        estimates: against(ratings, &winners, k),
        items: named.items,
        annotators: named.annotators,
        answers: named.answers.iter().map(|&answer| answer.to_owned()).collect(),
        winners,
        posterior,
        quality: Vec::new(),
        prior,
        log_likelihood: None,
        iterations: None,
        converged: None,
        warnings: Vec::new(),
    }
}

/// Each annotator against the winners, ties left out: share of right answers and confusion. `k` answers in all.
pub(super) fn against(ratings: &Ratings, winners: &[Winner], k: usize) -> Vec<AnnotatorEstimate> {
    let empty = AnnotatorEstimate { quality: None, confusion: vec![0.0; k * k], votes: 0 };
    let mut estimates = vec![empty; ratings.annotators()];
    for (item, winner) in ratings.iter().zip(winners) {
        for rating in item {
            let estimate = &mut estimates[rating.annotator as usize];
            estimate.votes += 1;
            if let Winner::Answer(answer) = winner {
                estimate.confusion[*answer as usize * k + rating.answer as usize] += 1.0;
            }
        }
    }
    for estimate in &mut estimates {
        let compared: f64 = estimate.confusion.iter().sum();
        let right: f64 = (0..k).map(|answer| estimate.confusion[answer * k + answer]).sum();
        estimate.quality = (compared > 0.0).then(|| right / compared);
        normalise_rows(&mut estimate.confusion, k);
    }
    estimates
}

/// Divides every row by its sum; a row of zeros stays.
pub(super) fn normalise_rows(matrix: &mut [f64], k: usize) {
    for row in matrix.chunks_exact_mut(k.max(1)) {
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|cell| *cell /= sum);
        }
    }
}
