//! Figures of a head on a split.

use std::collections::BTreeMap;

use kenami_domain::metrics::{ConfusedPair, Confusion, SplitMetrics};

/// Bins of the expected calibration error.
const BINS: usize = 15;
/// Pairs listed as most confused.
const PAIRS: usize = 20;

/// One photo with its answer and the model's distribution.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// File name.
    pub image: &'a str,
    /// Index of the answer.
    pub answer: usize,
    /// Probability per value.
    pub probabilities: &'a [f64],
}

/// Index of the largest probability; the first of equals.
pub fn most_likely(probabilities: &[f64]) -> usize {
    let better = |best: usize, (i, p): (usize, &f64)| if *p > probabilities[best] { i } else { best };
    probabilities.iter().enumerate().fold(0, better)
}

/// All figures; `None` where no photo has an answer.
pub fn evaluate(labels: &[String], photos: &[Judged<'_>]) -> Option<SplitMetrics> {
    if photos.is_empty() {
        return None;
    }
    let n = photos.len() as f64;
    let mut counts = vec![vec![0u32; labels.len()]; labels.len()];
    for photo in photos {
        counts[photo.answer][most_likely(photo.probabilities)] += 1;
    }
    let hits: u32 = (0..labels.len()).map(|k| counts[k][k]).sum();
    let nll = |photo: &Judged<'_>| -photo.probabilities[photo.answer].max(f64::MIN_POSITIVE).ln();
    Some(SplitMetrics {
        n: photos.len(),
        accuracy: f64::from(hits) / n,
        macro_f1: macro_f1(&counts),
        mean_per_class_accuracy: mean_recall(&counts),
        nll: photos.iter().map(nll).sum::<f64>() / n,
        ece: calibration_error(photos),
        most_confused: most_confused(labels, photos),
        confusion: Confusion { labels: labels.to_vec(), counts },
    })
}

fn row_sum(counts: &[Vec<u32>], k: usize) -> f64 {
    counts[k].iter().map(|count| f64::from(*count)).sum()
}

/// Mean over the values that occur, as answer or as prediction, of 2 tp / (answers + predictions).
fn macro_f1(counts: &[Vec<u32>]) -> f64 {
    let scores = (0..counts.len()).filter_map(|k| {
        let predictions: f64 = counts.iter().map(|row| f64::from(row[k])).sum();
        let occurrences = row_sum(counts, k) + predictions;
        (occurrences > 0.0).then(|| 2.0 * f64::from(counts[k][k]) / occurrences)
    });
    mean(scores)
}

/// Mean over the values that occur as answers of the share that is found.
fn mean_recall(counts: &[Vec<u32>]) -> f64 {
    let recalls = (0..counts.len()).filter_map(|k| {
        let answers = row_sum(counts, k);
        (answers > 0.0).then(|| f64::from(counts[k][k]) / answers)
    });
    mean(recalls)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// `sum_b n_b / n |accuracy_b - confidence_b|` over bins of equal width of the first answer's probability (C. Guo et al.,
/// ICML 2017).
fn calibration_error(photos: &[Judged<'_>]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for photo in photos {
        let first = most_likely(photo.probabilities);
        let confidence = photo.probabilities[first];
        // Bins are open below and closed above.
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += confidence;
        bins[bin].1 += f64::from(u8::from(first == photo.answer));
    }
    bins.iter().map(|(confidence, hits)| (hits - confidence).abs()).sum::<f64>() / photos.len() as f64
}

fn most_confused(labels: &[String], photos: &[Judged<'_>]) -> Vec<ConfusedPair> {
    let mut mistakes: BTreeMap<(usize, usize), Vec<(f64, &str)>> = BTreeMap::new();
    for photo in photos {
        let predicted = most_likely(photo.probabilities);
        if predicted != photo.answer {
            let surety = photo.probabilities[predicted];
            mistakes.entry((photo.answer, predicted)).or_default().push((surety, photo.image));
        }
    }
    let mut pairs: Vec<_> = mistakes.into_iter().collect();
    pairs.sort_by_key(|(_, images)| std::cmp::Reverse(images.len()));
    pairs.truncate(PAIRS);
    let pair = |((answer, predicted), mut images): ((usize, usize), Vec<(f64, &str)>)| {
        images.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        ConfusedPair {
            answer: labels[answer].clone(),
            predicted: labels[predicted].clone(),
            count: images.len(),
            images: images.into_iter().map(|(_, image)| image.to_owned()).collect(),
        }
    };
    pairs.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn labels() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).to_vec()
    }

    #[test]
    fn figures_of_a_small_case_by_hand() {
        // Answers a a a b b; predictions a a b b a. No c.
        let distributions = [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.3, 0.7, 0.0], [0.2, 0.8, 0.0], [0.9, 0.1, 0.0]];
        let answers = [0, 0, 0, 1, 1];
        let names = ["1", "2", "3", "4", "5"];
        let photos: Vec<Judged<'_>> =
            (0..5).map(|i| Judged { image: names[i], answer: answers[i], probabilities: &distributions[i] }).collect();
        let metrics = evaluate(&labels(), &photos).unwrap();
        assert_eq!(metrics.n, 5);
        assert_relative_eq!(metrics.accuracy, 0.6);
        // a: tp 2, answers 3, predictions 3; b: tp 1, answers 2, predictions 2; c does not occur.
        assert_relative_eq!(metrics.macro_f1, (2.0 / 3.0 + 0.5) / 2.0);
        assert_relative_eq!(metrics.mean_per_class_accuracy, (2.0 / 3.0 + 0.5) / 2.0);
        let nll = -(0.8f64.ln() + 0.6f64.ln() + 0.3f64.ln() + 0.8f64.ln() + 0.1f64.ln()) / 5.0;
        assert_relative_eq!(metrics.nll, nll, epsilon = 1e-12);
        // Bins of 1/15: .8 twice (two hits), .6, .7 (miss), .9 (miss) each alone.
        assert_relative_eq!(metrics.ece, (0.4 + 0.4 + 0.7 + 0.9) / 5.0, epsilon = 1e-12);
        assert_eq!(metrics.confusion.counts, [[2, 1, 0], [1, 1, 0], [0, 0, 0]]);
        assert_eq!(metrics.most_confused.len(), 2);
        assert_eq!(metrics.most_confused[0].images, ["3"]);
    }

    #[test]
    fn mistakes_are_ordered_by_number_then_surety() {
        let (sure, unsure) = ([0.0, 0.1, 0.9], [0.3, 0.3, 0.4]);
        let photos = [
            Judged { image: "once", answer: 0, probabilities: &sure },
            Judged { image: "unsure", answer: 1, probabilities: &unsure },
            Judged { image: "sure", answer: 1, probabilities: &sure },
        ];
        let metrics = evaluate(&labels(), &photos).unwrap();
        assert_eq!(metrics.most_confused[0].images, ["sure", "unsure"]);
        assert_eq!(metrics.most_confused[0].count, 2);
        assert_eq!(metrics.most_confused[1].answer, "a");
        assert_eq!(metrics.accuracy, 0.0);
    }

    #[test]
    fn nothing_answered_gives_no_figures() {
        assert!(evaluate(&labels(), &[]).is_none());
    }

    #[test]
    fn the_first_of_equal_values_is_predicted() {
        assert_eq!(most_likely(&[0.25, 0.25, 0.25, 0.25]), 0);
        assert_eq!(most_likely(&[0.1, 0.45, 0.45]), 1);
    }
}
