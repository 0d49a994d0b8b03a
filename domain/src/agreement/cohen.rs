//! Every pair of annotators: Cohen's kappa, and the other figures on the items that both answered.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::coefficients::Tally;
use crate::votes::Ratings;

/// Half the width of a 95 % interval in standard errors: the normal distribution's .975 quantile.
const Z95: f64 = 1.959_963_984_540_054;

/// Cells above which the pairs' tables are kept in a map rather than in one array.
const DENSE_CELLS: usize = 1 << 24;

/// Agreement of two annotators on the items that both answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CohenPair {
    /// The annotator whose name sorts first.
    pub a: String,
    /// The other one.
    pub b: String,
    /// Cohen's kappa; `None` where it is undefined.
    pub kappa: Option<f64>,
    /// Its asymptotic standard error.
    pub ase: Option<f64>,
    /// Its 95 % confidence interval.
    pub interval: Option<[f64; 2]>,
    /// Items that both answered.
    pub items: usize,
    /// Share of these items on which they agree.
    #[serde(default)]
    pub percent: Option<f64>,
    /// Krippendorff's nominal alpha of the two.
    #[serde(default)]
    pub alpha: Option<f64>,
    /// Krippendorff's nominal alpha of the two, `not_visible` and `unsure` left out.
    #[serde(default)]
    pub alpha_not_visible_missing: Option<f64>,
    /// Gwet's AC1 of the two.
    #[serde(default)]
    pub ac1: Option<f64>,
    /// Why kappa, alpha and AC1 are undefined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

/// Kappa with its asymptotic standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kappa {
    /// Cohen's kappa.
    pub kappa: f64,
    /// Its asymptotic standard error.
    pub ase: f64,
}

impl Kappa {
    /// From the table of counts, `table[x * k + y]`: items that a called x and b called y. `None` where chance agreement
    /// is 1 or there is no item.
    ///
    /// Kappa: Cohen 1960, Educational and Psychological Measurement 20:37. Standard error: Fleiss, Cohen and Everitt 1969,
    /// Psychological Bulletin 72:323.
    pub fn of(table: &[u32], k: usize) -> Option<Self> {
        let total: u32 = table.iter().sum();
        let n = f64::from(total);
        let (mut row, mut column) = (vec![0u32; k], vec![0u32; k]);
        for x in 0..k {
            for y in 0..k {
                row[x] += table[x * k + y];
                column[y] += table[x * k + y];
            }
        }
        // In integers, because only exactly one shared answer makes chance agreement 1.
        if total == 0 || (0..k).any(|x| row[x] == total && column[x] == total) {
            return None;
        }
        let row: Vec<f64> = row.into_iter().map(|count| f64::from(count) / n).collect();
        let column: Vec<f64> = column.into_iter().map(|count| f64::from(count) / n).collect();
        let observed = (0..k).map(|x| f64::from(table[x * k + x]) / n).sum::<f64>();
        let chance = (0..k).map(|x| row[x] * column[x]).sum::<f64>();
        let kappa = (observed - chance) / (1.0 - chance);
        let (mut on, mut off) = (0.0, 0.0);
        for x in 0..k {
            for y in 0..k {
                let p = f64::from(table[x * k + y]) / n;
                if x == y {
                    on += p * (1.0 - (row[x] + column[x]) * (1.0 - kappa)).powi(2);
                } else {
                    off += p * (column[x] + row[y]).powi(2);
                }
            }
        }
        let variance = (on + (1.0 - kappa).powi(2) * off - (kappa - chance * (1.0 - kappa)).powi(2))
            / (n * (1.0 - chance).powi(2));
        Some(Self { kappa, ase: variance.max(0.0).sqrt() })
    }

    /// The 95 % confidence interval.
    pub fn interval(self) -> [f64; 2] {
        [self.kappa - Z95 * self.ase, self.kappa + Z95 * self.ase]
    }
}

/// The figures of every pair of annotators with an item in common, ordered by name. `ratings` holds one reading an
/// annotator; `is_value` tells which answers are neither not visible nor unsure.
pub fn pairs(ratings: &Ratings, annotators: &[&str], is_value: impl Fn(u32) -> bool) -> Vec<CohenPair> {
    let k = ratings.answers();
    let mut pairs = Vec::new();
    for_each_table(ratings, |a, b, table| {
        let kappa = Kappa::of(table, k);
        let tally = Tally::of_pair(table, k, |_| true);
        pairs.push(CohenPair {
            a: annotators[a].to_owned(),
            b: annotators[b].to_owned(),
            kappa: kappa.map(|kappa| kappa.kappa),
            ase: kappa.map(|kappa| kappa.ase),
            interval: kappa.map(Kappa::interval),
            items: table.iter().sum::<u32>() as usize,
            percent: tally.percent().ok(),
            alpha: tally.alpha().ok(),
            alpha_not_visible_missing: Tally::of_pair(table, k, &is_value).alpha().ok(),
            ac1: tally.ac1().ok(),
            undefined: kappa.is_none().then(|| "both gave one and the same answer to every item".to_owned()),
        });
    });
    pairs
}

/// Calls `each` with (a, b, table) for the pairs a < b with an item in common, in order.
fn for_each_table(ratings: &Ratings, mut each: impl FnMut(usize, usize, &[u32])) {
    let (annotators, k) = (ratings.annotators(), ratings.answers());
    let cells = k * k;
    // Row a of the triangle starts where the rows before it end.
    let start = |a: usize| a * (2 * annotators - a - 1) / 2;
    let all = annotators * annotators.saturating_sub(1) / 2;
    if all.saturating_mul(cells) <= DENSE_CELLS {
        let mut tables = vec![0u32; all * cells];
        for_each_pair(ratings, |a, b, x, y| tables[(start(a) + b - a - 1) * cells + x * k + y] += 1);
        for a in 0..annotators {
            for b in a + 1..annotators {
                let place = (start(a) + b - a - 1) * cells;
                let table = &tables[place..place + cells];
                if table.iter().any(|&count| count > 0) {
                    each(a, b, table);
                }
            }
        }
    } else {
        let mut tables: HashMap<(usize, usize), Vec<u32>> = HashMap::new();
        for_each_pair(ratings, |a, b, x, y| tables.entry((a, b)).or_insert_with(|| vec![0; cells])[x * k + y] += 1);
        let mut tables: Vec<_> = tables.into_iter().collect();
        tables.sort_unstable_by_key(|(pair, _)| *pair);
        tables.iter().for_each(|((a, b), table)| each(*a, *b, table));
    }
}

/// Calls `each` with (a, b, a's answer, b's answer) for every pair of votes on an item, a < b.
fn for_each_pair(ratings: &Ratings, mut each: impl FnMut(usize, usize, usize, usize)) {
    for item in ratings.iter() {
        for (place, first) in item.iter().enumerate() {
            for second in &item[place + 1..] {
                each(
                    first.annotator as usize,
                    second.annotator as usize,
                    first.answer as usize,
                    second.answer as usize,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::votes::Rating;
    use approx::assert_abs_diff_eq;

    #[test]
    fn sas_example() {
        // SAS example (printed: kappa 0.4842, ASE 0.1380, 95 % CI 0.2137 to 0.7547); all digits by statsmodels 0.15.0,
        // cohens_kappa(table): kappa, std_kappa, kappa_low, kappa_upp.
        let kappa = Kappa::of(&[0, 4, 1, 0, 8, 0, 0, 1, 5], 3).unwrap();
        assert_abs_diff_eq!(kappa.kappa, 0.48416289592760187, epsilon = 1e-12);
        assert_abs_diff_eq!(kappa.ase, 0.1380135783058146, epsilon = 1e-12);
        assert_abs_diff_eq!(kappa.interval()[0], 0.21366125307070666, epsilon = 1e-12);
        assert_abs_diff_eq!(kappa.interval()[1], 0.754664538784497, epsilon = 1e-12);
    }

    #[test]
    fn a_unanimous_pair_has_no_kappa_and_a_perfect_one_has_no_error() {
        assert_eq!(Kappa::of(&[7, 0, 0, 0], 2), None);
        assert_eq!(Kappa::of(&[0; 4], 2), None);
        let perfect = Kappa::of(&[3, 0, 0, 4], 2).unwrap();
        assert_abs_diff_eq!(perfect.kappa, 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(perfect.ase, 0.0, epsilon = 1e-7);
    }

    #[test]
    fn many_annotators_give_the_same_tables_as_few() {
        // 6,000 annotators do not fit the dense array; only three of them vote.
        let rows = [(0, 0, 0), (0, 1, 1), (0, 5, 1), (1, 0, 1), (1, 5, 1), (2, 1, 0), (2, 5, 0)];
        let build = |annotators, scale: u32| {
            let rows = rows
                .iter()
                .map(move |&(item, annotator, answer)| (item, Rating { annotator: annotator * scale, answer }));
            Ratings::new(3, annotators, 2, rows)
        };
        let collect = |ratings: &Ratings, scale: usize| {
            let mut seen = Vec::new();
            for_each_table(ratings, |a, b, table| seen.push((a / scale, b / scale, table.to_vec())));
            seen
        };
        let few = collect(&build(6, 1), 1);
        assert_eq!(few, collect(&build(6000, 1000), 1000));
        assert_eq!(few, [(0, 1, vec![0, 1, 0, 0]), (0, 5, vec![0, 1, 0, 1]), (1, 5, vec![1, 0, 0, 1])]);
    }
}
