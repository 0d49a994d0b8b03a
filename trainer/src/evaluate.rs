//! Figures of a head on a split.

use std::collections::BTreeMap;

use kenami_domain::metrics::{CalibratedMetrics, ClassMetrics, ConfusedPair, Confusion, SplitMetrics};

/// Bins of the expected calibration error.
const BINS: usize = 15;
/// Pairs listed as most confused.
const PAIRS: usize = 20;
/// Values among which the answer counts as found in the top-5 accuracy.
const TOP: usize = 5;

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

/// All figures but those after temperature scaling; `None` where no photo has an answer.
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
    let found = photos.iter().filter(|photo| rank(photo.probabilities, photo.answer) < TOP).count();
    let CalibratedMetrics { nll, brier, ece } = calibration(photos);
    Some(SplitMetrics {
        n: photos.len(),
        accuracy: f64::from(hits) / n,
        macro_f1: macro_f1(&counts),
        mean_per_class_accuracy: mean_recall(&counts),
        top5_accuracy: found as f64 / n,
        nll,
        brier,
        ece,
        calibrated: None,
        per_class: per_class(labels, &counts),
        most_confused: most_confused(labels, photos),
        confusion: Confusion { labels: labels.to_vec(), counts },
    })
}

/// How well the probabilities of these photos (at least one) fit their answers.
pub fn calibration(photos: &[Judged<'_>]) -> CalibratedMetrics {
    let n = photos.len() as f64;
    CalibratedMetrics {
        nll: photos.iter().map(|photo| surprise(photo.probabilities[photo.answer])).sum::<f64>() / n,
        brier: photos.iter().map(squared_distance).sum::<f64>() / n,
        ece: calibration_error(photos),
    }
}

/// `-ln p`, finite also where the probability is 0.
pub fn surprise(probability: f64) -> f64 {
    -probability.max(f64::MIN_POSITIVE).ln()
}

/// `sum_k (p_k - [k is the answer])^2`.
fn squared_distance(photo: &Judged<'_>) -> f64 {
    let distance = |(k, p): (usize, &f64)| (p - f64::from(u8::from(k == photo.answer))).powi(2);
    photo.probabilities.iter().enumerate().map(distance).sum()
}

/// How many values come before `value` when they are ordered by probability; the first of equals comes first.
fn rank(probabilities: &[f64], value: usize) -> usize {
    let p = probabilities[value];
    probabilities.iter().enumerate().filter(|(k, other)| **other > p || (**other == p && *k < value)).count()
}

/// Precision, recall and F1 of each value.
fn per_class(labels: &[String], counts: &[Vec<u32>]) -> Vec<ClassMetrics> {
    let share = |part: u32, whole: f64| if whole > 0.0 { f64::from(part) / whole } else { 0.0 };
    let one = |(k, label): (usize, &String)| {
        let (hits, support): (u32, u32) = (counts[k][k], counts[k].iter().sum());
        let predicted: u32 = counts.iter().map(|row| row[k]).sum();
        ClassMetrics {
            value: label.clone(),
            support,
            predicted,
            precision: share(hits, f64::from(predicted)),
            recall: share(hits, f64::from(support)),
            f1: share(2 * hits, f64::from(support + predicted)),
        }
    };
    labels.iter().enumerate().map(one).collect()
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

/// Photos whose first answer has a probability in the same range.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReliabilityBin {
    /// The range, open below and closed above.
    pub range: (f64, f64),
    /// Photos in it.
    pub n: usize,
    /// Mean probability of the first answer; 0 where there is no photo.
    pub confidence: f64,
    /// Share of right first answers; 0 where there is no photo.
    pub accuracy: f64,
}

/// 15 bins of equal width over the first answer's probability.
pub fn reliability(photos: &[Judged<'_>]) -> Vec<ReliabilityBin> {
    let mut sums = [(0usize, 0.0, 0.0); BINS];
    for photo in photos {
        let first = most_likely(photo.probabilities);
        let confidence = photo.probabilities[first];
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        sums[bin].0 += 1;
        sums[bin].1 += confidence;
        sums[bin].2 += f64::from(u8::from(first == photo.answer));
    }
    let bin = |(i, (n, confidence, hits)): (usize, (usize, f64, f64))| {
        let range = (i as f64 / BINS as f64, (i + 1) as f64 / BINS as f64);
        let count = n.max(1) as f64;
        ReliabilityBin { range, n, confidence: confidence / count, accuracy: hits / count }
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// `sum_b n_b / n |accuracy_b - confidence_b|` over bins of equal width of the first answer's probability (C. Guo et al.,
/// ICML 2017).
fn calibration_error(photos: &[Judged<'_>]) -> f64 {
    let gap = |bin: &ReliabilityBin| bin.n as f64 * (bin.accuracy - bin.confidence).abs();
    reliability(photos).iter().map(gap).sum::<f64>() / photos.len() as f64
}

/// Indices of the photos, the one with the largest loss first (by name where equal), at most `count`.
pub fn top_losses(photos: &[Judged<'_>], count: usize) -> Vec<usize> {
    let probability = |i: usize| photos[i].probabilities[photos[i].answer];
    let mut order: Vec<usize> = (0..photos.len()).collect();
    let by_loss = |a: &usize, b: &usize| probability(*a).total_cmp(&probability(*b));
    order.sort_by(|a, b| by_loss(a, b).then_with(|| photos[*a].image.cmp(photos[*b].image)));
    order.truncate(count);
    order
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
mod tests;
