//! What a head is trained towards: between one photo's votes and what its class leads one to expect.

use std::collections::BTreeMap;

use crate::{
    dataset::{Item, Split},
    schema::Prior,
};

/// t = (n v + k p) / (n + k): the vote shares v of n votes, drawn towards the prior p with the weight of k votes.
///
/// k = 0 gives v (instance-level labels), k = infinity gives p (class-level labels); without votes the target is p.
///
/// # Panics
/// If `shares` and `prior` differ in length.
pub fn shrink(shares: &[f64], votes: f64, prior: &[f64], k: f64) -> Vec<f64> {
    assert_eq!(shares.len(), prior.len(), "one share and one prior probability a value");
    let weight = if k.is_infinite() || votes + k <= 0.0 { 0.0 } else { votes / (votes + k) };
    shares.iter().zip(prior).map(|(v, p)| weight * v + (1.0 - weight) * p).collect()
}

/// What is expected of an annotated attribute given a value of a given one: p(ear | breed).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassTable(BTreeMap<String, Vec<f64>>);

impl ClassTable {
    /// From the project's priors (breed standards). `values` are the attribute's value keys, in the head's order.
    pub fn from_priors(priors: &[Prior], given: &str, attribute: &str, values: &[String]) -> Self {
        let rows = priors.iter().filter(|prior| prior.given_attribute == given && prior.attribute == attribute);
        let rows = rows.map(|prior| {
            let row = values.iter().map(|value| prior.distribution.get(value).copied().unwrap_or(0.0)).collect();
            (prior.given_value.clone(), row)
        });
        Self::normalised(rows.collect())
    }

    /// The mean target of the training part's unmasked photos, by their given value.
    pub fn from_train(items: &[Item], given: &str, attribute: &str, values: &[String]) -> Self {
        let mut sums: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for item in items.iter().filter(|item| item.split == Split::Train) {
            if let (Some(class), Some(shares)) = (item.given.get(given), shares(item, attribute, values)) {
                let sum = sums.entry(class.clone()).or_insert_with(|| vec![0.0; values.len()]);
                sum.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
            }
        }
        Self::normalised(sums)
    }

    /// Leaves out rows without mass.
    fn normalised(mut rows: BTreeMap<String, Vec<f64>>) -> Self {
        rows.retain(|_, row| {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= sum);
            sum > 0.0
        });
        Self(rows)
    }

    /// The distribution over the values for one given value; `None` where nothing is known of it.
    pub fn get(&self, given_value: &str) -> Option<&[f64]> {
        self.0.get(given_value).map(Vec::as_slice)
    }
}

/// An unmasked photo's target as frozen, in the order of `values` and summing to 1; `None` where it is masked.
fn shares(item: &Item, attribute: &str, values: &[String]) -> Option<Vec<f64>> {
    if item.masks.get(attribute) != Some(&1) {
        return None;
    }
    let target = item.targets.get(attribute)?;
    let row: Vec<f64> = values.iter().map(|value| target.get(value).copied().unwrap_or(0.0)).collect();
    let sum: f64 = row.iter().sum();
    (sum > 0.0).then(|| row.iter().map(|share| share / sum).collect())
}

/// A photo's target, shrunk towards `prior` (its class's row; `None`: not shrunk) with the weight of `k` votes.
/// `None` where the photo is masked: a class says nothing about a part that is not visible.
pub fn item_target(item: &Item, attribute: &str, values: &[String], prior: Option<&[f64]>, k: f64) -> Option<Vec<f64>> {
    let shares = shares(item, attribute, values)?;
    let Some(prior) = prior else { return Some(shares) };
    let counts = item.votes.get(attribute);
    let votes: u32 = values.iter().filter_map(|value| counts?.get(value)).sum();
    // A reviewer's decision without a vote for any value counts as one.
    Some(shrink(&shares, f64::from(votes.max(1)), prior, k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    fn item(split: Split, breed: &str, target: &[(&str, f64)], mask: u8, votes: u32) -> Item {
        let target = target.iter().map(|&(value, p)| (value.to_owned(), p)).collect();
        Item {
            image: "images/a.jpg".into(),
            split,
            given: BTreeMap::from([("breed".into(), breed.into())]),
            answers: BTreeMap::new(),
            targets: BTreeMap::from([("ear".into(), target)]),
            masks: BTreeMap::from([("ear".into(), mask)]),
            votes: BTreeMap::from([("ear".into(), BTreeMap::from([("drop".into(), votes)]))]),
            image_hash: String::new(),
        }
    }

    fn values() -> Vec<String> {
        ["drop", "erect"].map(String::from).to_vec()
    }

    #[test]
    fn the_training_parts_mean_is_the_class_table() {
        let items = [
            item(Split::Train, "pug", &[("drop", 1.0)], 1, 1),
            item(Split::Train, "pug", &[("drop", 0.5), ("erect", 0.5)], 1, 2),
            item(Split::Train, "pug", &[("erect", 1.0)], 0, 1),
            item(Split::Test, "pug", &[("erect", 1.0)], 1, 1),
            item(Split::Test, "beagle", &[("drop", 1.0)], 1, 1),
        ];
        let table = ClassTable::from_train(&items, "breed", "ear", &values());
        assert_eq!(table.get("pug"), Some(&[0.75, 0.25][..]));
        assert_eq!(table.get("beagle"), None);
    }

    #[test]
    fn priors_are_taken_in_the_heads_order_and_an_empty_row_is_none() {
        let prior = |breed: &str, p: f64| Prior {
            given_attribute: "breed".into(),
            given_value: breed.into(),
            attribute: "ear".into(),
            distribution: BTreeMap::from([("erect".into(), 2.0 * p), ("drop".into(), p)]),
        };
        let table = ClassTable::from_priors(&[prior("pug", 1.0), prior("beagle", 0.0)], "breed", "ear", &values());
        assert_eq!(table.get("pug"), Some(&[1.0 / 3.0, 2.0 / 3.0][..]));
        assert_eq!(table.get("beagle"), None);
    }

    #[test]
    fn an_items_target_moves_from_its_votes_to_its_class() {
        let prior = [0.2, 0.8];
        let two = item(Split::Train, "pug", &[("drop", 1.0)], 1, 2);
        let target = |k| item_target(&two, "ear", &values(), Some(&prior), k).unwrap();
        assert_eq!(target(0.0), [1.0, 0.0]);
        assert_abs_diff_eq!(target(2.0)[0], 0.6, epsilon = 1e-12);
        assert_eq!(target(f64::INFINITY), prior);
        assert_eq!(item_target(&two, "ear", &values(), None, 2.0).unwrap(), [1.0, 0.0]);
        let masked = item(Split::Train, "pug", &[("drop", 1.0)], 0, 2);
        assert_eq!(item_target(&masked, "ear", &values(), Some(&prior), 2.0), None);
    }

    proptest! {
        #[test]
        fn a_target_is_a_distribution_between_votes_and_prior(v in 0.0f64..1.0, p in 0.0f64..1.0, n in 0u32..9, k in 0.0f64..9.0) {
            let target = shrink(&[v, 1.0 - v], f64::from(n), &[p, 1.0 - p], k);
            prop_assert!((target.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(target[0] >= v.min(p) - 1e-12 && target[0] <= v.max(p) + 1e-12);
        }
    }
}
