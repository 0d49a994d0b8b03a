//! Bootstrap intervals: items are drawn again, because votes on one item are not independent.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use serde::{Deserialize, Serialize};

use super::coefficients::{ItemCounts, Tally};

/// A percentile bootstrap over items (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Coverage, above 0 and below 1.
    pub level: f64,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, level: 0.95, seed: 0 }
    }
}

/// What the bootstrap gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intervals {
    /// The interval of each coefficient, by its name in the report.
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// In how many resamples a coefficient was undefined, if in any. These are left out; where they are more than half,
    /// there is no interval.
    pub undefined: BTreeMap<String, usize>,
}

impl Bootstrap {
    /// The interval of each coefficient. `is_value` tells which answers are neither not visible nor unsure.
    ///
    /// Items with the same votes are drawn together: how often each pattern of votes is drawn among as many draws as there
    /// are items is multinomial. A resample costs as much as there are patterns, not items.
    pub fn intervals(&self, counts: &ItemCounts, is_value: impl Fn(u32) -> bool) -> Intervals {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (patterns, occurrences) = counts.patterns();
        let values = patterns.retained(is_value);
        let mut drawn = vec![0u32; occurrences.len()];
        let mut figures: [(&str, Vec<f64>); 5] =
            ["percent", "alpha", "alpha_not_visible_missing", "fleiss", "ac1"].map(|name| (name, Vec::new()));
        for _ in 0..self.resamples {
            multinomial(&occurrences, &mut drawn, &mut rng);
            let tally = Tally::weighted(&patterns, &drawn);
            let without = Tally::weighted(&values, &drawn);
            let results = [tally.percent(), tally.alpha(), without.alpha(), tally.fleiss(), tally.ac1()];
            for ((_, sample), result) in figures.iter_mut().zip(results) {
                sample.extend(result.ok());
            }
        }
        let mut found = Intervals::default();
        for (name, sample) in figures {
            let undefined = self.resamples - sample.len();
            if undefined > 0 {
                found.undefined.insert(name.to_owned(), undefined);
            }
            if !sample.is_empty() && undefined * 2 <= self.resamples {
                found.intervals.insert(name.to_owned(), percentiles(sample, self.level));
            }
        }
        found
    }
}

/// Draws as many items as there are, with replacement, from patterns that occur `occurrences` times each; `drawn` receives
/// how often each pattern came. One pattern after the other, given what is left: a binomial each.
fn multinomial(occurrences: &[u32], drawn: &mut [u32], rng: &mut ChaCha8Rng) {
    let mut mass: u64 = occurrences.iter().map(|&times| u64::from(times)).sum();
    let mut draws = mass;
    for (&times, drawn) in occurrences.iter().zip(drawn) {
        let times = u64::from(times);
        let share = if times == mass { 1.0 } else { times as f64 / mass as f64 };
        let came = Binomial::new(draws, share).expect("a share is between 0 and 1").sample(rng);
        *drawn = u32::try_from(came).expect("no more draws than items");
        draws -= came;
        mass -= times;
    }
}

/// The central interval that holds `level` of the sample, with linear interpolation.
fn percentiles(mut sample: Vec<f64>, level: f64) -> [f64; 2] {
    sample.sort_unstable_by(f64::total_cmp);
    [(1.0 - level) / 2.0, (1.0 + level) / 2.0].map(|q| {
        let place = q * (sample.len() - 1) as f64;
        let (below, above) = (sample[place.floor() as usize], sample[place.ceil() as usize]);
        below + (above - below) * place.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::votes::{Rating, Ratings};
    use approx::assert_abs_diff_eq;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [2.5, 97.5]), linear interpolation, and [25, 75].
        let sample = vec![3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let [low, high] = percentiles(sample.clone(), 0.95);
        assert_abs_diff_eq!(low, 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(high, 8.475, epsilon = 1e-12);
        let [low, high] = percentiles(sample, 0.5);
        assert_abs_diff_eq!(low, 1.75, epsilon = 1e-12);
        assert_abs_diff_eq!(high, 5.25, epsilon = 1e-12);
    }

    #[test]
    fn draws_have_the_means_and_variances_of_a_multinomial() {
        let occurrences = [50, 1, 9, 40];
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut sums, mut squares, mut drawn) = ([0.0; 4], [0.0; 4], [0; 4]);
        let rounds = 20_000;
        for _ in 0..rounds {
            multinomial(&occurrences, &mut drawn, &mut rng);
            assert_eq!(drawn.iter().sum::<u32>(), 100);
            for (place, &came) in drawn.iter().enumerate() {
                sums[place] += f64::from(came);
                squares[place] += f64::from(came * came);
            }
        }
        for (place, times) in occurrences.into_iter().map(f64::from).enumerate() {
            let mean = sums[place] / f64::from(rounds);
            let variance = squares[place] / f64::from(rounds) - mean * mean;
            let expected = times * (1.0 - times / 100.0);
            assert_abs_diff_eq!(mean, times, epsilon = 5.0 * (expected / f64::from(rounds)).sqrt());
            assert_abs_diff_eq!(variance / expected, 1.0, epsilon = 0.08);
        }
    }

    #[test]
    fn an_interval_has_the_width_that_a_share_has() {
        // 400 items, two votes each, 300 agree: percent is a share of 400, its standard error sqrt(.75 * .25 / 400).
        let votes = |item: u32| [(0, item % 2), (1, if item < 300 { item % 2 } else { 1 - item % 2 })];
        let rows =
            (0..400).flat_map(|item| votes(item).map(|(annotator, answer)| (item, Rating { annotator, answer })));
        let counts = ItemCounts::new(&Ratings::new(400, 2, 2, rows), |_| true);
        let bootstrap = Bootstrap { resamples: 4000, level: 0.95, seed: 7 };
        let found = bootstrap.intervals(&counts, |_| true);
        let [low, high] = found.intervals["percent"];
        let error = (0.75f64 * 0.25 / 400.0).sqrt();
        assert_abs_diff_eq!(low, 0.75 - 1.96 * error, epsilon = 0.006);
        assert_abs_diff_eq!(high, 0.75 + 1.96 * error, epsilon = 0.006);
        assert!(found.undefined.is_empty());
    }
}
