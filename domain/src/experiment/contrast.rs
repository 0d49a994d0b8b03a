//! Whether one variant is better than another on the test photos, or how much is missing to say so.
//!
//! Photos are a sample of all photos, and seeds of all trainings: both make the difference uncertain. With `d` the difference
//! of a photo under a seed (1: only the variant is right, -1: only the other), the variance of the mean is estimated as
//! `s_p^2 / n + s_s^2 / S`, from the spread of the photos' means (over seeds) and of the seeds' means (over photos): never too
//! small for crossed samples (A. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1:386, 2007). The interval is
//! Student's with the degrees of freedom of F. Satterthwaite (Biometrics Bulletin 2:110, 1946).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{LEVEL, Pairs};
use crate::statistics::summary;

/// A difference that matters: one point.
pub const MARGIN: f64 = 0.01;
/// The 97.5 % and the 80 % point of the normal distribution: a two-sided test at 5 % that finds the difference in 4 of 5 cases.
const POWER: f64 = 1.959_963_984_540_054 + 0.841_621_233_572_914_3;

/// What is said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No photo is answered differently.
    Identical,
    /// The interval lies above 0.
    Better,
    /// It lies below 0.
    Worse,
    /// It lies between minus and plus one point.
    Same,
    /// None of these: too little data.
    Unclear,
}

/// Accuracy of a variant less that of another one, on the test photos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contrast {
    /// The head's attribute.
    pub head: String,
    /// The variant.
    pub variant: String,
    /// The variant that it is compared with.
    pub against: String,
    /// Seeds that both have finished.
    pub seeds: usize,
    /// Test photos.
    pub photos: usize,
    /// Mean difference, -1 to 1.
    pub difference: f64,
    /// Its interval over photos and seeds; absent for a single photo or seed.
    pub interval: Option<(f64, f64)>,
    /// What it amounts to.
    pub outcome: Outcome,
    /// What would show a difference of one point with probability 0.8, where the outcome is unclear.
    pub needed: Option<Needed>,
}

/// Test photos and seeds that would be enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Needed {
    /// Test photos.
    pub photos: u64,
    /// Seeds.
    pub seeds: u64,
}

/// From pairs of (other right, variant right), a map of photos for each seed. `None` where no photo has pairs under all seeds.
pub(super) fn contrast(head: &str, variant: &str, against: &str, by_seed: &[&Pairs]) -> Option<Contrast> {
    let first = by_seed.first()?;
    let photos: Vec<&String> =
        first.keys().filter(|photo| by_seed.iter().all(|seed| seed.contains_key(*photo))).collect();
    let difference = |(a, b): (bool, bool)| f64::from(i8::from(b) - i8::from(a));
    let of = |seed: &Pairs, photo: &String| difference(seed[photo]);
    let mean = |values: &mut dyn Iterator<Item = f64>, n: usize| values.sum::<f64>() / n as f64;
    let by_photo: Vec<f64> =
        photos.iter().map(|photo| mean(&mut by_seed.iter().map(|seed| of(seed, photo)), by_seed.len())).collect();
    let of_seeds: Vec<f64> =
        by_seed.iter().map(|seed| mean(&mut photos.iter().map(|photo| of(seed, photo)), photos.len())).collect();
    let (photo_means, seed_means) = (summary(&by_photo)?, summary(&of_seeds)?);
    let spread = photo_means.deviation.zip(seed_means.deviation).map(|(p, s)| (p * p, s * s));
    let (n, seeds) = (by_photo.len() as f64, of_seeds.len() as f64);
    let interval = spread.map(|(p, s)| around(photo_means.mean, (p / n, n - 1.0), (s / seeds, seeds - 1.0)));
    let differs = photos.iter().any(|photo| by_seed.iter().any(|seed| seed[*photo].0 != seed[*photo].1));
    let outcome = match interval {
        _ if !differs => Outcome::Identical,
        Some((low, _)) if low > 0.0 => Outcome::Better,
        Some((_, high)) if high < 0.0 => Outcome::Worse,
        Some((low, high)) if low > -MARGIN && high < MARGIN => Outcome::Same,
        _ => Outcome::Unclear,
    };
    let needed = spread.filter(|_| outcome == Outcome::Unclear).map(|(p, s)| needed(p, s, of_seeds.len() as u64));
    Some(Contrast {
        head: head.to_owned(),
        variant: variant.to_owned(),
        against: against.to_owned(),
        seeds: of_seeds.len(),
        photos: by_photo.len(),
        difference: photo_means.mean,
        interval,
        outcome,
        needed,
    })
}

/// Student's interval of a mean whose variance is the sum of two estimates, each with its degrees of freedom.
fn around(mean: f64, (a, of_a): (f64, f64), (b, of_b): (f64, f64)) -> (f64, f64) {
    let freedom = (a + b).powi(2) / (a * a / of_a + b * b / of_b);
    let reach = match StudentsT::new(0.0, 1.0, freedom) {
        Ok(student) => student.inverse_cdf((1.0 + LEVEL) / 2.0) * (a + b).sqrt(),
        // Without any spread.
        Err(_) => 0.0,
    };
    (mean - reach, mean + reach)
}

/// What brings the standard error to [`MARGIN`] / ([`POWER`]): photos alone where the seeds leave room for that, else photos and
/// seeds with half of the variance each.
fn needed(of_photos: f64, of_seeds: f64, seeds: u64) -> Needed {
    let all = (MARGIN / POWER).powi(2);
    let now = of_seeds / seeds as f64;
    let count = |variance: f64, room: f64| (variance / room).ceil() as u64;
    if now < all / 2.0 {
        Needed { photos: count(of_photos, all - now), seeds }
    } else {
        Needed { photos: count(of_photos, all / 2.0), seeds: count(of_seeds, all / 2.0) }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    /// A letter a photo: `+` only the variant is right, `-` only the other, `=` both.
    fn seed(photos: &str) -> Pairs {
        let pair = |c| match c {
            '+' => (false, true),
            '-' => (true, false),
            _ => (true, true),
        };
        photos.chars().enumerate().map(|(n, c)| (format!("{n:03}"), pair(c))).collect()
    }

    fn of(seeds: &[&str]) -> Contrast {
        let seeds: Vec<_> = seeds.iter().map(|photos| seed(photos)).collect();
        contrast("breed", "b", "a", &seeds.iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_interval_holds_photos_and_seeds() {
        // reference.py has the same figures.
        let found = of(&["++=-=+==", "+==-==+=", "+=+=====", "=+=-=+=="]);
        assert_relative_eq!(found.difference, 0.1875, epsilon = 1e-12);
        let (low, high) = found.interval.unwrap();
        assert_relative_eq!(low, -0.198_015_465_079_056_6, epsilon = 1e-9);
        assert_relative_eq!(high, 0.573_015_465_079_056_7, epsilon = 1e-9);
        assert_eq!((found.outcome, found.photos, found.seeds), (Outcome::Unclear, 8, 4));
        // Of the variance that .01 / 2.8016 allows, each takes half: the photos' is .2098, the seeds' .0052.
        assert_eq!(found.needed, Some(Needed { photos: 32_938, seeds: 818 }));
    }

    #[test]
    fn outcomes_follow_the_interval() {
        assert_eq!(of(&["====", "===="]).outcome, Outcome::Identical);
        assert_eq!(of(&["++++++=+", "+++++++="]).outcome, Outcome::Better);
        assert_eq!(of(&["------=-", "-------="]).outcome, Outcome::Worse);
        let mostly = "=".repeat(900);
        let same = of(&[&format!("+-{mostly}"), &format!("-+{mostly}")]);
        assert_eq!((same.outcome, same.needed), (Outcome::Same, None));
        let single = of(&["+==="]);
        assert_eq!((single.interval, single.outcome, single.needed), (None, Outcome::Unclear, None));
        assert_eq!(contrast("h", "b", "a", &[]), None);
        assert_eq!(contrast("h", "b", "a", &[&seed(""), &seed("")]), None);
    }
}
