//! Accuracy over the number of labels, and what more labels would bring.
//!
//! Errors are taken to fall as an inverse power of the number of labels towards a floor, `e(n) = c + a n^-b` (C. Cortes et al.,
//! Learning curves: asymptotic values and rate of convergence, NIPS 6, 1993; R. Figueroa et al., Predicting sample size required
//! for classification performance, BMC Medical Informatics and Decision Making 12:8, 2012), fitted by least squares to the
//! mean error at each size. Intervals come from resampling photos and seeds together (A. Owen, The pigeonhole bootstrap, Annals
//! of Applied Statistics 1:386, 2007). A law that the points do not bear out is not used.

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::Split,
    experiment::{Cell, Hits},
    statistics::summary,
};

/// Numbers of further labels that are asked about.
pub const STEPS: [u64; 4] = [100, 500, 1_000, 2_000];
/// The law is not followed beyond so many times the labels that there are.
pub const REACH: f64 = 8.0;
/// Sizes that a fit of three numbers needs at least.
const SIZES: usize = 4;
/// Seeds that an interval needs at least.
const SEEDS: usize = 2;
/// Share of the variation between sizes that the law must explain.
const EXPLAINED: f64 = 0.7;
const RESAMPLES: usize = 400;
/// Exponents that are tried.
const EXPONENTS: (f64, f64) = (0.05, 2.0);

/// Accuracy of one head over the number of its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LearningCurve {
    /// The head's attribute.
    pub head: String,
    /// Validation and test photos that accuracy is measured on.
    pub photos: usize,
    /// Seeds: each draws the labels anew.
    pub seeds: usize,
    /// The fewest labels first.
    pub points: Vec<SizePoint>,
    /// The law, where it holds.
    pub law: Option<PowerLaw>,
    /// Why there is none.
    pub refused: Option<Refusal>,
    /// What more labels would bring; none without a law, or beyond [`REACH`].
    pub gains: Vec<Gain>,
}

/// Accuracy with a number of labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SizePoint {
    /// Labels of the training part, on average over seeds.
    pub labels: f64,
    /// Mean accuracy over seeds.
    pub accuracy: f64,
    /// Its sample standard deviation over seeds.
    pub deviation: Option<f64>,
}

/// `e(n) = floor + scale n^-exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PowerLaw {
    /// Errors that no number of labels takes away.
    pub floor: f64,
    /// How far errors of one label lie above the floor.
    pub scale: f64,
    /// How fast they fall.
    pub exponent: f64,
    /// Share of the variation between the sizes' mean errors that it explains (R squared).
    pub explained: f64,
}

/// Why nothing is said of more labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Fewer than four sizes, or two seeds.
    TooFewRuns,
    /// From the fewest to all labels, accuracy has not surely risen.
    Flat,
    /// The points lie too far from any such law.
    Scattered,
}

/// What more labels would bring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gain {
    /// Labels more than all that there are.
    pub more: u64,
    /// Accuracy more.
    pub gain: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl PowerLaw {
    /// Share of errors expected with `labels`.
    pub fn error(&self, labels: f64) -> f64 {
        self.floor + self.scale * labels.powf(-self.exponent)
    }
}

/// What was measured with one number of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Labels.
    pub labels: f64,
    /// By seed: by photo, whether it is right. Every size has the same seeds and photos.
    pub hits: Vec<Vec<bool>>,
}

/// The learning curves of all heads of the cells of `variants`, which were trained on growing shares of the labels. Only seeds
/// that all of the sizes have finished count.
pub fn of_cells(cells: &[Cell], variants: &[String], seeds: &[u64], hits: &Hits) -> Vec<LearningCurve> {
    let of_variant = |variant: &String, seed: u64| {
        cells.iter().find(|cell| cell.variant == *variant && cell.seed == seed && !cell.heads.is_empty())
    };
    let begun: Vec<&String> =
        variants.iter().filter(|variant| seeds.iter().any(|seed| of_variant(variant, *seed).is_some())).collect();
    let seeds: Vec<u64> =
        seeds.iter().copied().filter(|seed| begun.iter().all(|variant| of_variant(variant, *seed).is_some())).collect();
    let heads: BTreeSet<&String> =
        cells.iter().filter(|cell| variants.contains(&cell.variant)).flat_map(|cell| cell.heads.keys()).collect();
    let curve = |head: &String| {
        let labels = |variant: &String| {
            let counts = seeds.iter().filter_map(|seed| {
                Some(of_variant(variant, *seed)?.heads.get(head)?.get(Split::Train.as_str())?.n as f64)
            });
            Some(summary(&counts.collect::<Vec<_>>())?.mean)
        };
        let right = |variant: &String, seed: u64| {
            let of = |split| hits.of(variant, seed, head, split).into_iter().flatten().map(|(_, right)| *right);
            of(Split::Validation).chain(of(Split::Test)).collect::<Vec<bool>>()
        };
        let measured = begun.iter().filter_map(|variant| {
            let hits: Vec<Vec<bool>> = seeds.iter().map(|seed| right(variant, *seed)).collect();
            Some(Measured { labels: labels(variant)?, hits })
        });
        learning_curve(head, measured.collect())
    };
    heads.into_iter().filter_map(curve).collect()
}

/// The curve of a head. `None` where there is no size, or sizes differ in seeds or photos.
pub fn learning_curve(head: &str, mut sizes: Vec<Measured>) -> Option<LearningCurve> {
    sizes.sort_by(|a, b| a.labels.total_cmp(&b.labels));
    // A head with few labels may be the same at two shares.
    sizes.dedup_by(|a, b| a.labels == b.labels);
    let first = sizes.first()?;
    let (seeds, photos) = (first.hits.len(), first.hits.first()?.len());
    let fits = |size: &Measured| size.hits.len() == seeds && size.hits.iter().all(|seed| seed.len() == photos);
    if photos == 0 || !sizes.iter().all(fits) {
        return None;
    }
    let point = |size: &Measured| {
        let accuracy = |seed: &Vec<bool>| seed.iter().filter(|right| **right).count() as f64 / photos as f64;
        let found = summary(&size.hits.iter().map(accuracy).collect::<Vec<_>>())?;
        Some(SizePoint { labels: size.labels, accuracy: found.mean, deviation: found.deviation })
    };
    let points: Vec<SizePoint> = sizes.iter().filter_map(point).collect();
    let (law, gains) = match extrapolate(&sizes, &points) {
        Ok((law, gains)) => (Ok(law), gains),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    let (law, refused) = (law.ok(), law.err());
    Some(LearningCurve { head: head.to_owned(), photos, seeds, points, law, refused, gains })
}

fn extrapolate(sizes: &[Measured], points: &[SizePoint]) -> Result<(PowerLaw, Vec<Gain>), Refusal> {
    let seeds = sizes[0].hits.len();
    if sizes.len() < SIZES || seeds < SEEDS {
        return Err(Refusal::TooFewRuns);
    }
    let labels: Vec<f64> = sizes.iter().map(|size| size.labels).collect();
    let errors: Vec<f64> = points.iter().map(|point| 1.0 - point.accuracy).collect();
    let resampled = resample(sizes);
    let risen = resampled.iter().map(|errors| errors[0] - errors[errors.len() - 1]).collect();
    if interval(risen).0 <= 0.0 {
        return Err(Refusal::Flat);
    }
    let law = fit(&labels, &errors);
    if law.explained < EXPLAINED {
        return Err(Refusal::Scattered);
    }
    let now = labels[labels.len() - 1];
    let laws: Vec<PowerLaw> = resampled.iter().map(|errors| fit(&labels, errors)).collect();
    let gain = |more: u64| {
        let of = |law: &PowerLaw| law.error(now) - law.error(now + more as f64);
        let (low, high) = interval(laws.iter().map(of).collect());
        Gain { more, gain: of(&law), low, high }
    };
    let within = STEPS.into_iter().filter(|more| now + *more as f64 <= REACH * now);
    Ok((law, within.map(gain).collect()))
}

/// Mean errors by size, of photos and seeds that are drawn anew, the same for all sizes.
fn resample(sizes: &[Measured]) -> Vec<Vec<f64>> {
    let (seeds, photos) = (sizes[0].hits.len(), sizes[0].hits[0].len());
    // Always the same: a page that is loaded twice shows the same interval.
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut draw = || {
        let mut of_seeds = vec![0u32; seeds];
        (0..seeds).for_each(|_| of_seeds[rng.random_range(0..seeds)] += 1);
        let mut of_photos = vec![0u32; photos];
        (0..photos).for_each(|_| of_photos[rng.random_range(0..photos)] += 1);
        let wrong = |size: &Measured| {
            let of_seed = |(hits, count): (&Vec<bool>, &u32)| {
                let wrong: u32 = hits.iter().zip(&of_photos).map(|(right, n)| if *right { 0 } else { *n }).sum();
                f64::from(wrong) * f64::from(*count)
            };
            size.hits.iter().zip(&of_seeds).map(of_seed).sum::<f64>() / (seeds * photos) as f64
        };
        sizes.iter().map(wrong).collect()
    };
    (0..RESAMPLES).map(|_| draw()).collect()
}

/// The middle 95 % of some values.
fn interval(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    (at(0.025), at(0.975))
}

/// Least squares of `floor + scale n^-exponent` with floor and scale of 0 or more. For an exponent the best of the others is a
/// line's; exponents are searched on a grid that is refined around the best.
pub fn fit(labels: &[f64], errors: &[f64]) -> PowerLaw {
    let (mut low, mut high) = EXPONENTS;
    let mut best = (f64::INFINITY, low, (0.0, 0.0));
    for _ in 0..4 {
        let step = (high - low) / 40.0;
        for place in 0..=40 {
            let exponent = low + step * f64::from(place);
            let (floor, scale, squares) = line(labels, errors, exponent);
            if squares < best.0 {
                best = (squares, exponent, (floor, scale));
            }
        }
        (low, high) = ((best.1 - step).max(EXPONENTS.0), (best.1 + step).min(EXPONENTS.1));
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let all: f64 = errors.iter().map(|error| (error - mean).powi(2)).sum();
    let (squares, exponent, (floor, scale)) = best;
    let explained = if all > 0.0 { 1.0 - squares / all } else { 0.0 };
    PowerLaw { floor, scale, exponent, explained }
}

/// The best floor and scale for an exponent, and the sum of squares that they leave.
fn line(labels: &[f64], errors: &[f64], exponent: f64) -> (f64, f64, f64) {
    let x: Vec<f64> = labels.iter().map(|n| n.powf(-exponent)).collect();
    let n = x.len() as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, errors.iter().sum::<f64>() / n);
    let spread: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    let common: f64 = x.iter().zip(errors).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let mut scale = if spread > 0.0 { (common / spread).max(0.0) } else { 0.0 };
    let mut floor = mean_y - scale * mean_x;
    if floor < 0.0 {
        let (xy, xx): (f64, f64) = x.iter().zip(errors).fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + x * y, xx + x * x));
        (floor, scale) = (0.0, xy / xx);
    }
    let squares = x.iter().zip(errors).map(|(x, y)| (y - floor - scale * x).powi(2)).sum();
    (floor, scale, squares)
}

#[cfg(test)]
mod tests;
