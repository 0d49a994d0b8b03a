//! Agreement coefficients of any number of annotators, from each item's votes per answer.

use std::collections::HashMap;

use crate::votes::Ratings;

/// Votes per item and answer, without zeros (compressed sparse rows).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemCounts {
    answers: usize,
    offsets: Vec<usize>,
    cells: Vec<(u32, u32)>,
}

impl ItemCounts {
    /// Counts the votes, leaving out the answers for which `is_kept` is false (missing values).
    pub fn new(ratings: &Ratings, is_kept: impl Fn(u32) -> bool) -> Self {
        let mut counts = vec![0u32; ratings.answers()];
        let mut offsets = vec![0];
        let mut cells = Vec::new();
        for item in ratings.iter() {
            for rating in item {
                counts[rating.answer as usize] += 1;
            }
            for rating in item {
                let count = std::mem::take(&mut counts[rating.answer as usize]);
                if count > 0 && is_kept(rating.answer) {
                    cells.push((rating.answer, count));
                }
            }
            offsets.push(cells.len());
        }
        Self { answers: ratings.answers(), offsets, cells }
    }

    /// Number of items, those without a vote included.
    pub fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The same items without the answers for which `is_kept` is false.
    pub fn retained(&self, is_kept: impl Fn(u32) -> bool) -> Self {
        let mut offsets = vec![0];
        let mut cells = Vec::with_capacity(self.cells.len());
        for item in 0..self.items() {
            cells.extend(self.item(item).iter().filter(|cell| is_kept(cell.0)));
            offsets.push(cells.len());
        }
        Self { answers: self.answers, offsets, cells }
    }

    /// The different items, sorted, and how often each occurs; two items are alike if they have the same votes per answer.
    pub fn patterns(&self) -> (Self, Vec<u32>) {
        let mut occurrences: HashMap<Vec<(u32, u32)>, u32> = HashMap::new();
        let mut pattern = Vec::new();
        for item in 0..self.items() {
            pattern.clear();
            pattern.extend_from_slice(self.item(item));
            pattern.sort_unstable();
            match occurrences.get_mut(&pattern) {
                Some(times) => *times += 1,
                None => drop(occurrences.insert(pattern.clone(), 1)),
            }
        }
        let mut sorted: Vec<_> = occurrences.into_iter().collect();
        sorted.sort_unstable();
        let mut offsets = vec![0];
        let mut cells = Vec::new();
        for (pattern, _) in &sorted {
            cells.extend_from_slice(pattern);
            offsets.push(cells.len());
        }
        let times = sorted.into_iter().map(|(_, times)| times).collect();
        (Self { answers: self.answers, offsets, cells }, times)
    }

    /// An item's (answer, votes).
    pub fn item(&self, item: usize) -> &[(u32, u32)] {
        &self.cells[self.offsets[item]..self.offsets[item + 1]]
    }
}

/// Why a coefficient has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undefined {
    /// There is no pair of votes to compare.
    #[error("no item has two or more votes")]
    NoPairs,
    /// Chance agreement is 1, so that the coefficient would be 0 / 0.
    #[error("every vote is the same answer, so agreement beyond chance cannot be told")]
    OneAnswer,
    /// Fleiss' kappa alone.
    #[error("the items have between {fewest} and {most} votes; Fleiss' kappa needs the same number for every item")]
    UnequalVotes {
        /// Votes of the item with the fewest.
        fewest: u32,
        /// Votes of the item with the most.
        most: u32,
    },
}

/// As [`Tally::cost_of_disagreement`], from the margin n_k; `None` where fewer than two answers occur.
pub(super) fn cost_of_disagreement(margin: &[f64]) -> Option<f64> {
    let n: f64 = margin.iter().sum();
    let expected = n * n - margin.iter().map(|votes| votes * votes).sum::<f64>();
    (expected > 0.0).then(|| (n - 1.0) / expected)
}

/// The sums from which every coefficient follows; items may have weights (bootstrap).
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Weight of the items with at least one vote.
    items: f64,
    /// Weight of the items with at least two votes.
    paired_items: f64,
    /// Sum over paired items of the share of agreeing pairs.
    agreeing_share: f64,
    /// Sum over paired items of disagreeing ordered pairs / (m - 1).
    disagreement: f64,
    /// Votes per answer in paired items.
    paired_votes: Vec<f64>,
    /// Sum over items with a vote of the share of votes per answer.
    shares: Vec<f64>,
    fewest: u32,
    most: u32,
}

impl Tally {
    /// An empty tally of a number of answers.
    pub fn new(answers: usize) -> Self {
        Self {
            items: 0.0,
            paired_items: 0.0,
            agreeing_share: 0.0,
            disagreement: 0.0,
            paired_votes: vec![0.0; answers],
            shares: vec![0.0; answers],
            fewest: u32::MAX,
            most: 0,
        }
    }

    /// The tally of all items, each once.
    pub fn of(counts: &ItemCounts) -> Self {
        let mut tally = Self::new(counts.answers);
        for item in 0..counts.items() {
            tally.add(counts.item(item), 1.0);
        }
        tally
    }

    /// The tally with item i counted `weights[i]` times.
    pub fn weighted(counts: &ItemCounts, weights: &[u32]) -> Self {
        let mut tally = Self::new(counts.answers);
        for (item, &weight) in weights.iter().enumerate() {
            if weight > 0 {
                tally.add(counts.item(item), f64::from(weight));
            }
        }
        tally
    }

    /// The tally of two annotators from their table of counts, `table[x * k + y]`: items that one called x and the other y.
    /// Answers for which `is_kept` is false are missing.
    pub fn of_pair(table: &[u32], k: usize, is_kept: impl Fn(u32) -> bool) -> Self {
        let mut tally = Self::new(k);
        for (cell, &count) in table.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (x, y, weight) = ((cell / k) as u32, (cell % k) as u32, f64::from(count));
            match (is_kept(x), is_kept(y)) {
                (true, true) if x == y => tally.add(&[(x, 2)], weight),
                (true, true) => tally.add(&[(x, 1), (y, 1)], weight),
                (true, false) => tally.add(&[(x, 1)], weight),
                (false, true) => tally.add(&[(y, 1)], weight),
                (false, false) => {}
            }
        }
        tally
    }

    fn add(&mut self, cells: &[(u32, u32)], weight: f64) {
        let votes: u32 = cells.iter().map(|cell| cell.1).sum();
        if votes == 0 {
            return;
        }
        let m = f64::from(votes);
        self.items += weight;
        self.fewest = self.fewest.min(votes);
        self.most = self.most.max(votes);
        let mut squares = 0.0;
        for &(answer, count) in cells {
            let count = f64::from(count);
            self.shares[answer as usize] += weight * count / m;
            squares += count * count;
            if votes > 1 {
                self.paired_votes[answer as usize] += weight * count;
            }
        }
        if votes > 1 {
            self.paired_items += weight;
            self.agreeing_share += weight * (squares - m) / (m * (m - 1.0));
            self.disagreement += weight * (m * m - squares) / (m - 1.0);
        }
    }

    /// Mean over the items with two or more votes of the share of agreeing pairs.
    pub fn percent(&self) -> Result<f64, Undefined> {
        if self.paired_items > 0.0 { Ok(self.agreeing_share / self.paired_items) } else { Err(Undefined::NoPairs) }
    }

    /// Krippendorff's alpha for nominal data with missing values: 1 - D_o / D_e from the coincidence matrix
    /// (Krippendorff, Content Analysis, chapter "Reliability").
    pub fn alpha(&self) -> Result<f64, Undefined> {
        Ok(1.0 - self.cost_of_disagreement()? * self.disagreement)
    }

    /// What one coincidence of two different answers takes from alpha: (n - 1) / (n^2 - sum n_k^2). Alpha is 1 less this
    /// times the coincidences off the diagonal.
    pub fn cost_of_disagreement(&self) -> Result<f64, Undefined> {
        self.percent()?;
        cost_of_disagreement(&self.paired_votes).ok_or(Undefined::OneAnswer)
    }

    /// Coincidences off the diagonal: each item's ordered pairs of different answers / (its votes - 1), summed.
    pub fn disagreement(&self) -> f64 {
        self.disagreement
    }

    /// Votes per answer in items with two or more votes: the margin n_k of the coincidence matrix.
    pub fn paired_votes(&self) -> &[f64] {
        &self.paired_votes
    }

    /// Fleiss' kappa (Fleiss 1971, Psychological Bulletin 76:378).
    pub fn fleiss(&self) -> Result<f64, Undefined> {
        let observed = self.percent()?;
        if self.fewest != self.most {
            return Err(Undefined::UnequalVotes { fewest: self.fewest, most: self.most });
        }
        let n: f64 = self.paired_votes.iter().sum();
        if self.paired_votes.iter().filter(|&&votes| votes > 0.0).count() < 2 {
            return Err(Undefined::OneAnswer);
        }
        let chance: f64 = self.paired_votes.iter().map(|votes| (votes / n) * (votes / n)).sum();
        Ok((observed - chance) / (1.0 - chance))
    }

    /// Gwet's AC1 (Gwet 2008, British Journal of Mathematical and Statistical Psychology 61:29), whose chance agreement is
    /// sum_k pi_k (1 - pi_k) / (q - 1); q is the number of answers that occur, pi_k the mean share over all items with a vote.
    pub fn ac1(&self) -> Result<f64, Undefined> {
        let observed = self.percent()?;
        let occurring = self.shares.iter().filter(|&&share| share > 0.0).count();
        if occurring < 2 {
            return Err(Undefined::OneAnswer);
        }
        let chance = self.shares.iter().map(|share| (share / self.items) * (1.0 - share / self.items)).sum::<f64>()
            / (occurring as f64 - 1.0);
        Ok((observed - chance) / (1.0 - chance))
    }
}
