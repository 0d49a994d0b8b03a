//! Bootstrap intervals: items are drawn again, because votes on one item are not independent.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::coefficients::{ItemCounts, Tally};

/// A percentile bootstrap over items (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13).
#[derive(Debug, Clone, Copy, PartialEq)]
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

impl Bootstrap {
    /// The interval of each coefficient, by its name in the report; absent where the coefficient is undefined in more than
    /// half of the resamples. `values` counts the same items without not visible and unsure.
    pub fn intervals(&self, counts: &ItemCounts, values: &ItemCounts) -> BTreeMap<String, [f64; 2]> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut weights = vec![0u32; counts.items()];
        let mut figures: [(&str, Vec<f64>); 5] =
            ["percent", "alpha", "alpha_not_visible_missing", "fleiss", "ac1"].map(|name| (name, Vec::new()));
        for _ in 0..self.resamples {
            resample(&mut weights, &mut rng);
            let tally = Tally::weighted(counts, &weights);
            let without = Tally::weighted(values, &weights);
            let results = [tally.percent(), tally.alpha(), without.alpha(), tally.fleiss(), tally.ac1()];
            for ((_, sample), result) in figures.iter_mut().zip(results) {
                sample.extend(result.ok());
            }
        }
        figures
            .into_iter()
            .filter(|(_, sample)| !sample.is_empty() && sample.len() * 2 >= self.resamples)
            .map(|(name, sample)| (name.to_owned(), percentiles(sample, self.level)))
            .collect()
    }
}

/// Draws as many items as there are, with replacement; `weights` receives how often each was drawn.
fn resample(weights: &mut [u32], rng: &mut ChaCha8Rng) {
    weights.fill(0);
    // u32 rather than usize: the same draws on 32-bit wasm.
    let items = weights.len() as u32;
    for _ in 0..items {
        weights[rng.random_range(0..items) as usize] += 1;
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
