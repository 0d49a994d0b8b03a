//! What figures say beyond themselves: mean and deviation, paired differences, whether two classifiers err alike ([`mcnemar`]),
//! and whether two things happen together ([`tables`]).

pub mod tables;

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, Discrete, DiscreteCDF, StudentsT};

/// Mean and spread of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Summary {
    /// Values.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation, `sqrt(sum (x - mean)^2 / (n - 1))`; absent for one value.
    pub deviation: Option<f64>,
}

/// Mean and deviation; `None` of nothing.
pub fn summary(values: &[f64]) -> Option<Summary> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    Some(Summary { n: values.len(), mean, deviation })
}

/// Differences of pairs, as of two methods under the same seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PairedDifference {
    /// Mean and deviation of `b - a`.
    pub difference: Summary,
    /// Student's interval of the mean, `mean +- t_{(1 + level) / 2, n - 1} deviation / sqrt(n)`; absent for one pair.
    pub interval: Option<(f64, f64)>,
    /// Two-sided p of Student's paired test of "no difference"; absent for one pair.
    pub p: Option<f64>,
}

/// Compares pairs: `b - a` with its interval at confidence `level` (0.95). Where all differences are the same, the interval
/// is that one value, and p is 1 (no difference) or 0. The interval assumes that differences are nearly normal.
/// (Student, The probable error of a mean, Biometrika 6, 1908.)
///
/// `None` where there is no pair or the lengths differ.
pub fn paired_difference(a: &[f64], b: &[f64], level: f64) -> Option<PairedDifference> {
    if a.len() != b.len() {
        return None;
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let difference = summary(&differences)?;
    let mut result = PairedDifference { difference, interval: None, p: None };
    let Some(deviation) = difference.deviation else { return Some(result) };
    let error = deviation / (difference.n as f64).sqrt();
    if error == 0.0 {
        result.interval = Some((difference.mean, difference.mean));
        result.p = Some(if difference.mean == 0.0 { 1.0 } else { 0.0 });
        return Some(result);
    }
    let student = StudentsT::new(0.0, 1.0, (difference.n - 1) as f64).ok()?;
    let reach = student.inverse_cdf((1.0 + level) / 2.0) * error;
    result.interval = Some((difference.mean - reach, difference.mean + reach));
    result.p = Some((2.0 * student.sf((difference.mean / error).abs())).min(1.0));
    Some(result)
}

/// McNemar's test: of the items on which exactly one of two classifiers is right, is it one of them more often?
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McNemar {
    /// Items that only the first has right.
    pub only_first: u64,
    /// Items that only the second has right.
    pub only_second: u64,
    /// Exact two-sided p: twice the smaller tail of Binomial(n, 1/2), at most 1.
    pub exact_p: f64,
    /// Two-sided mid-p: the point itself counts half in the tail. Less conservative than the exact test.
    pub mid_p: f64,
}

/// McNemar's test from its two counts, `n = only_first + only_second`, `k` the smaller one:
/// exact `p = 2 P(X <= k)`, mid-p `= 2 P(X <= k) - P(X = k)` with X of Binomial(n, 1/2).
/// (Q. McNemar, Psychometrika 12, 1947; M. W. Fagerland, S. Lydersen, P. Laake, BMC Medical Research Methodology 13:91, 2013.)
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let (n, k) = (only_first + only_second, only_first.min(only_second));
    let (tail, point) = match Binomial::new(0.5, n) {
        Ok(binomial) if n > 0 => (binomial.cdf(k), binomial.pmf(k)),
        // Nothing differs.
        _ => (1.0, 1.0),
    };
    McNemar { only_first, only_second, exact_p: (2.0 * tail).min(1.0), mid_p: (2.0 * tail - point).min(1.0) }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn mean_and_sample_deviation() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[3.0]), Some(Summary { n: 1, mean: 3.0, deviation: None }));
        // numpy: std([2, 4, 4, 4, 5, 5, 7, 9], ddof=1)
        let figures = summary(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_relative_eq!(figures.mean, 5.0);
        assert_relative_eq!(figures.deviation.unwrap(), 2.138_089_935_299_395, epsilon = 1e-12);
    }

    #[test]
    fn paired_differences_as_scipy_has_them() {
        // reference.py beside this file prints these.
        let a = [92.1, 91.8, 92.4, 92.0, 91.9];
        let b = [92.5, 92.0, 92.3, 92.6, 92.2];
        let result = paired_difference(&a, &b, 0.95).unwrap();
        assert_relative_eq!(result.difference.mean, 0.28, epsilon = 1e-12);
        let (low, high) = result.interval.unwrap();
        assert_relative_eq!(low, -0.041_396_757_073_202_95, epsilon = 1e-9);
        assert_relative_eq!(high, 0.601_396_757_073_199_5, epsilon = 1e-9);
        assert_relative_eq!(result.p.unwrap(), 0.072_855_059_610_258_14, epsilon = 1e-9);
        let two = paired_difference(&a[..2], &b[..2], 0.99).unwrap();
        assert_relative_eq!(two.interval.unwrap().1, 6.665_674_116_287_247, epsilon = 1e-7);
        assert_eq!(paired_difference(&a, &b[..2], 0.95), None);
        let one = paired_difference(&a[..1], &b[..1], 0.95).unwrap();
        assert_eq!((one.interval, one.p), (None, None));
        assert_eq!(paired_difference(&[1.0, 2.0], &[1.0, 2.0], 0.95).unwrap().p, Some(1.0));
        assert_eq!(paired_difference(&[1.0, 2.0], &[2.0, 3.0], 0.95).unwrap().interval, Some((1.0, 1.0)));
    }

    #[test]
    fn mcnemar_as_scipy_has_it() {
        // The same script.
        for (first, second, exact, mid) in [
            (9, 2, 0.065_429_687_5, 0.038_574_218_75),
            (59, 6, 4.964_650_327_128_616e-12, 2.725_803_198_606_886_7e-12),
            (121, 86, 0.017_905_614_973_719_838, 0.015_031_765_413_701_79),
            (5, 5, 1.0, 1.0),
            (0, 7, 0.015_625, 0.007_812_5),
            (412, 377, 0.226_090_405_241_677_92, 0.213_015_509_529_295_13),
        ] {
            let test = mcnemar(first, second);
            assert_relative_eq!(test.exact_p, exact, max_relative = 1e-9);
            assert_relative_eq!(test.mid_p, mid, max_relative = 1e-9);
            assert_relative_eq!(mcnemar(second, first).mid_p, mid, max_relative = 1e-9);
        }
        // By hand: 2 (1 + 3) / 8, less 3 / 8.
        assert_relative_eq!(mcnemar(1, 2).exact_p, 1.0, epsilon = 1e-12);
        assert_relative_eq!(mcnemar(1, 2).mid_p, 0.625, epsilon = 1e-12);
        assert_eq!((mcnemar(0, 0).exact_p, mcnemar(0, 0).mid_p), (1.0, 1.0));
    }
}
