//! Two groups and one event: whether it happens more often in the one, counted in a table of two by two.

use serde::{Deserialize, Serialize};
use statrs::{
    distribution::{ChiSquared, ContinuousCDF},
    function::factorial::ln_binomial,
};

/// The 97.5 % point of the normal distribution: 95 % intervals reach so many standard errors to either side.
const Z: f64 = 1.959_963_984_540_054;
/// Tables that are as likely as the one that was seen, but for rounding, count as such (as in R and scipy).
const ROUNDING: f64 = 1.0 + 1e-7;

/// How often something happened in a group and in all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TwoByTwo {
    /// In the group, it happened.
    pub group_hit: u64,
    /// In the group, it did not.
    pub group_miss: u64,
    /// Among the others, it happened.
    pub other_hit: u64,
    /// Among the others, it did not.
    pub other_miss: u64,
}

/// A ratio of two rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ratio {
    /// The group's rate, divided by the others'.
    pub ratio: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// A half was added to each cell, since one of the rates was 0.
    pub adjusted: bool,
}

/// What several tables, one a stratum, say together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stratified {
    /// Strata that say something: with items in both groups.
    pub strata: usize,
    /// The ratio within strata; absent where the event happened in one group alone.
    pub ratio: Option<Ratio>,
    /// Two-sided p of "within the strata, the rates are equal".
    pub p: f64,
}

impl TwoByTwo {
    /// Counts an item.
    pub fn count(&mut self, in_group: bool, hit: bool) {
        *match (in_group, hit) {
            (true, true) => &mut self.group_hit,
            (true, false) => &mut self.group_miss,
            (false, true) => &mut self.other_hit,
            (false, false) => &mut self.other_miss,
        } += 1;
    }

    /// Items in the group.
    pub fn group(&self) -> u64 {
        self.group_hit + self.group_miss
    }

    /// Items outside of it.
    pub fn others(&self) -> u64 {
        self.other_hit + self.other_miss
    }

    /// The share of the group's items to which it happened.
    pub fn group_rate(&self) -> Option<f64> {
        (self.group() > 0).then(|| self.group_hit as f64 / self.group() as f64)
    }

    /// The same of the others.
    pub fn other_rate(&self) -> Option<f64> {
        (self.others() > 0).then(|| self.other_hit as f64 / self.others() as f64)
    }

    /// The ratio of the rates with the interval of its logarithm, `ln r +- 1.96 sqrt(1/a - 1/n1 + 1/c - 1/n0)` (D. Katz et al.,
    /// Biometrics 34:469, 1978). Where one of the rates is 0, each cell counts a half more (S. Walter, Biometrika 62:371, 1975).
    /// `None` where a group is empty or it happened to nobody.
    pub fn ratio(&self) -> Option<Ratio> {
        if self.group() == 0 || self.others() == 0 || self.group_hit + self.other_hit == 0 {
            return None;
        }
        let adjusted = self.group_hit == 0 || self.other_hit == 0;
        let more = if adjusted { 0.5 } else { 0.0 };
        let (a, c) = (self.group_hit as f64 + more, self.other_hit as f64 + more);
        let (n1, n0) = (self.group() as f64 + 2.0 * more, self.others() as f64 + 2.0 * more);
        let ratio = (a / n1) / (c / n0);
        let reach = Z * (1.0 / a - 1.0 / n1 + 1.0 / c - 1.0 / n0).max(0.0).sqrt();
        Some(Ratio { ratio, low: ratio * (-reach).exp(), high: ratio * reach.exp(), adjusted })
    }

    /// Fisher's exact test of "the rates are equal", two-sided: the probability of all tables with these margins that are at
    /// most as likely as this one. (R. A. Fisher, Journal of the Royal Statistical Society 98:39, 1935.)
    pub fn fisher(&self) -> f64 {
        let (n1, n0, hits) = (self.group(), self.others(), self.group_hit + self.other_hit);
        let log = |k: u64| ln_binomial(n1, k) + ln_binomial(n0, hits - k) - ln_binomial(n1 + n0, hits);
        let seen = log(self.group_hit).exp() * ROUNDING;
        let all = hits.saturating_sub(n0)..=hits.min(n1);
        all.map(|k| log(k).exp()).filter(|p| *p <= seen).sum::<f64>().min(1.0)
    }
}

/// Mantel and Haenszel's ratio of rates over strata with the interval of S. Greenland and J. Robins (Biometrics 41:55, 1985),
/// and the test of Cochran, Mantel and Haenszel without correction (N. Mantel, W. Haenszel, JNCI 22:719, 1959). It asks whether
/// the event is more frequent in the group *within* strata: what makes a stratum's items different from other strata's
/// cannot explain it. `None` where no stratum has items in both groups and both outcomes.
pub fn stratified(strata: &[TwoByTwo]) -> Option<Stratified> {
    let telling: Vec<&TwoByTwo> = strata.iter().filter(|t| t.group() > 0 && t.others() > 0).collect();
    let (mut excess, mut variance, mut above, mut below, mut spread) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for table in &telling {
        let (a, c) = (table.group_hit as f64, table.other_hit as f64);
        let (n1, n0) = (table.group() as f64, table.others() as f64);
        let (n, hits) = (n1 + n0, a + c);
        excess += a - n1 * hits / n;
        variance += n1 * n0 * hits * (n - hits) / (n * n * (n - 1.0));
        above += a * n0 / n;
        below += c * n1 / n;
        spread += (hits * n1 * n0 - a * c * n) / (n * n);
    }
    if variance <= 0.0 {
        return None;
    }
    let ratio = (above > 0.0 && below > 0.0).then(|| {
        let (ratio, reach) = (above / below, Z * (spread / (above * below)).max(0.0).sqrt());
        Ratio { ratio, low: ratio * (-reach).exp(), high: ratio * reach.exp(), adjusted: false }
    });
    let p = ChiSquared::new(1.0).map_or(1.0, |chi| chi.sf(excess * excess / variance));
    Some(Stratified { strata: telling.len(), ratio, p })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn table(group_hit: u64, group_miss: u64, other_hit: u64, other_miss: u64) -> TwoByTwo {
        TwoByTwo { group_hit, group_miss, other_hit, other_miss }
    }

    #[test]
    fn fisher_as_scipy_has_it() {
        // reference.py prints these.
        for (of, p) in [
            (table(8, 2, 1, 5), 0.034_965_034_965_034_975),
            (table(3, 1, 1, 3), 0.485_714_285_714_285_65),
            (table(12, 30, 7, 90), 0.002_038_446_805_679_23),
            (table(0, 5, 6, 4), 0.043_956_043_956_043_96),
            (table(140, 260, 190, 810), 6.255_901_331_989_797e-10),
            (table(1, 9, 11, 3), 0.002_759_456_185_220_083_6),
        ] {
            assert_relative_eq!(of.fisher(), p, max_relative = 1e-9);
        }
        assert_eq!(table(0, 0, 3, 4).fisher(), 1.0);
    }

    #[test]
    fn ratios_as_statsmodels_has_them() {
        for (of, ratio, low, high) in [
            (table(8, 2, 1, 5), 4.8, 0.780_970_565_998_571_8, 29.501_752_054_560_97),
            (table(12, 30, 7, 90), 3.959_183_673_469_387_7, 1.677_097_110_570_132_2, 9.346_587_780_440_313),
            (table(140, 260, 190, 810), 1.842_105_263_157_894_7, 1.531_035_000_234_454_2, 2.216_377_679_174_138_3),
        ] {
            let found = of.ratio().unwrap();
            assert_relative_eq!(found.ratio, ratio, max_relative = 1e-9);
            assert_relative_eq!(found.low, low, max_relative = 1e-9);
            assert_relative_eq!(found.high, high, max_relative = 1e-9);
            assert!(!found.adjusted);
        }
        // A half more in each cell, by hand: (3.5 / 6) / (.5 / 12) = 14.
        let none = table(3, 2, 0, 11).ratio().unwrap();
        assert!(none.adjusted && none.low < none.ratio && none.ratio < none.high);
        assert_relative_eq!(none.ratio, 14.0, max_relative = 1e-12);
        assert_eq!(table(0, 3, 0, 9).ratio(), None);
        assert_eq!(table(0, 0, 1, 9).ratio(), None);
    }

    #[test]
    fn strata_as_statsmodels_has_them() {
        let strata = [table(8, 4, 3, 10), table(2, 7, 1, 20), table(5, 5, 4, 9), table(3, 0, 0, 0)];
        let found = stratified(&strata).unwrap();
        assert_eq!(found.strata, 3, "one stratum has no others");
        let ratio = found.ratio.unwrap();
        assert_relative_eq!(ratio.ratio, 2.410_397_400_649_838, max_relative = 1e-12);
        assert_relative_eq!(ratio.low, 1.200_414_897_428_022_9, max_relative = 1e-9);
        assert_relative_eq!(ratio.high, 4.840_006_269_089_029, max_relative = 1e-9);
        assert_relative_eq!(found.p, 0.009_659_905_053_208_018, max_relative = 1e-9);
    }

    #[test]
    fn what_only_strata_explain_vanishes_within_them() {
        // Half of one stratum's items and a tenth of the other's, in the group or not.
        let strata = [table(40, 40, 10, 10), table(2, 18, 8, 72)];
        let all = table(42, 58, 18, 82);
        assert!(all.fisher() < 0.001);
        let within = stratified(&strata).unwrap();
        assert_relative_eq!(within.ratio.unwrap().ratio, 1.0, epsilon = 1e-12);
        assert_relative_eq!(within.p, 1.0, epsilon = 1e-12);
        assert_eq!(stratified(&[table(3, 3, 0, 0)]), None);
        assert_eq!(stratified(&[table(0, 3, 0, 2)]), None);
    }
}
